"""Every workflow and activity the worker offers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worker.activities.notification_delivery import NotificationDelivery
from worker.activities.retraction_cancelling import RetractionCancelling
from worker.activities.rule_firing import RuleFiring
from worker.activities.scheduled_delivery import ScheduledDelivery
from worker.activities.scheduler_watch import SchedulerWatch
from worker.workflows.cron_scheduling import CronSchedulingWorkflow
from worker.workflows.master_orchestration import MasterOrchestrationWorkflow
from worker.workflows.notification_processing import NotificationProcessingWorkflow
from worker.workflows.notification_retraction import NotificationRetractionWorkflow
from worker.workflows.scheduled_notification import ScheduledNotificationWorkflow
from worker.workflows.versioned import (
    VersionedCronScheduling,
    VersionedMasterOrchestration,
    VersionedNotificationProcessing,
    VersionedNotificationRetraction,
    VersionedScheduledNotification,
)

WORKFLOWS: Sequence[type] = (
    NotificationProcessingWorkflow,
    NotificationRetractionWorkflow,
    CronSchedulingWorkflow,
    ScheduledNotificationWorkflow,
    MasterOrchestrationWorkflow,
)

VERSIONED_WORKFLOWS: Sequence[type] = (
    VersionedNotificationProcessing,
    VersionedNotificationRetraction,
    VersionedCronScheduling,
    VersionedScheduledNotification,
    VersionedMasterOrchestration,
)
"""The same ones by the same names, for workers that are versions of a deployment."""


@dataclass(frozen=True)
class Activities:
    """The objects whose methods are activities, each holding its own clients."""

    delivery: NotificationDelivery
    retraction: RetractionCancelling
    rules: RuleFiring
    scheduled: ScheduledDelivery
    watch: SchedulerWatch

    def methods(self) -> Sequence[Callable[..., Any]]:
        """All of them, as the worker registers them."""
        return (
            self.delivery.deliver,
            self.delivery.give_up,
            self.retraction.cancel_retracted,
            self.rules.fire_due_rules,
            self.scheduled.start_due,
            self.watch.observe_schedulers,
            self.watch.stop_schedulers,
        )
