"""Starting the workflows that work on rows: the same rows are never worked on twice at once."""

from collections.abc import Callable, Sequence

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from shared.temporal.messages import NotificationProcessingInput, NotificationRetractionInput
from shared.temporal.names import (
    NOTIFICATION_PROCESSING_WORKFLOW,
    NOTIFICATION_RETRACTION_WORKFLOW,
    notification_processing_id,
    notification_retraction_id,
)


class _RowWorkflowStarter:
    """Starts one type of workflow; starting it for the same ids while it runs is harmless."""

    def __init__(
        self,
        client: Client,
        task_queue: str,
        *,
        workflow: str,
        workflow_id: Callable[[str, Sequence[int]], str],
        workflow_input: Callable[[str, list[int]], object],
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._workflow = workflow
        self._workflow_id = workflow_id
        self._workflow_input = workflow_input

    async def start(self, enterprise_id: str, notification_ids: Sequence[int]) -> bool:
        """Start one workflow for all the ids; False if that very work is already running.

        Raises:
            RPCError: Temporal did not answer within about ten seconds, or refused.
        """
        try:
            await self._client.start_workflow(
                self._workflow,
                self._workflow_input(enterprise_id, list(notification_ids)),
                id=self._workflow_id(enterprise_id, notification_ids),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                priority=Priority(fairness_key=enterprise_id),
                request_eager_start=True,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True


class NotificationProcessingStarter(_RowWorkflowStarter):
    """Starts NotificationProcessingWorkflow: the rows are to be sent."""

    def __init__(self, client: Client, task_queue: str) -> None:
        super().__init__(
            client,
            task_queue,
            workflow=NOTIFICATION_PROCESSING_WORKFLOW,
            workflow_id=notification_processing_id,
            workflow_input=NotificationProcessingInput,
        )


class NotificationRetractionStarter(_RowWorkflowStarter):
    """Starts NotificationRetractionWorkflow: the rows were sent, and are to be cancelled."""

    def __init__(self, client: Client, task_queue: str) -> None:
        super().__init__(
            client,
            task_queue,
            workflow=NOTIFICATION_RETRACTION_WORKFLOW,
            workflow_id=notification_retraction_id,
            workflow_input=NotificationRetractionInput,
        )
