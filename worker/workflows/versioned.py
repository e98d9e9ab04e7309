"""Every workflow as a versioned worker offers it: whether it ends on the build it began on, or moves on to the next.

Classes of their own, because Temporal refuses a workflow task that names such a behaviour from a worker without a
version. The steps are those of the classes they inherit from, and so are histories.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from shared.temporal.messages import (
        NotificationProcessingInput,
        NotificationProcessingResult,
        NotificationRetractionInput,
        NotificationRetractionResult,
        OrchestrationInput,
        OrchestrationState,
        SchedulerInput,
    )
    from shared.temporal.names import (
        CRON_SCHEDULING_WORKFLOW,
        MASTER_ORCHESTRATION_WORKFLOW,
        NOTIFICATION_PROCESSING_WORKFLOW,
        NOTIFICATION_RETRACTION_WORKFLOW,
        SCHEDULED_NOTIFICATION_WORKFLOW,
    )

from worker.workflows.cron_scheduling import CronSchedulingWorkflow
from worker.workflows.master_orchestration import MasterOrchestrationWorkflow
from worker.workflows.notification_processing import NotificationProcessingWorkflow
from worker.workflows.notification_retraction import NotificationRetractionWorkflow
from worker.workflows.scheduled_notification import ScheduledNotificationWorkflow


@workflow.defn(name=NOTIFICATION_PROCESSING_WORKFLOW, versioning_behavior=VersioningBehavior.PINNED)
class VersionedNotificationProcessing(NotificationProcessingWorkflow):
    """Short: it ends where it began."""

    @workflow.run
    async def run(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        return await super().run(input)


@workflow.defn(name=NOTIFICATION_RETRACTION_WORKFLOW, versioning_behavior=VersioningBehavior.PINNED)
class VersionedNotificationRetraction(NotificationRetractionWorkflow):
    """Short: it ends where it began."""

    @workflow.run
    async def run(self, input: NotificationRetractionInput) -> NotificationRetractionResult:
        return await super().run(input)


@workflow.defn(name=CRON_SCHEDULING_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class VersionedCronScheduling(CronSchedulingWorkflow):
    """Without end: it moves on, and would otherwise keep its build alive for ever."""

    @workflow.run
    async def run(self, input: SchedulerInput) -> None:
        await super().run(input)


@workflow.defn(name=SCHEDULED_NOTIFICATION_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class VersionedScheduledNotification(ScheduledNotificationWorkflow):
    """Without end: it moves on, and would otherwise keep its build alive for ever."""

    @workflow.run
    async def run(self, input: SchedulerInput) -> None:
        await super().run(input)


@workflow.defn(name=MASTER_ORCHESTRATION_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class VersionedMasterOrchestration(MasterOrchestrationWorkflow):
    """Without end: it moves on, and would otherwise keep its build alive for ever."""

    @workflow.run
    async def run(self, input: OrchestrationInput) -> OrchestrationState:
        return await super().run(input)
