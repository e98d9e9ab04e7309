"""Starting the workflows that work on rows: the same rows are never worked on twice at once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from shared.notification.priority import NORMAL
from shared.temporal.messages import NotificationProcessingInput, NotificationRetractionInput, Portion
from shared.temporal.names import (
    NOTIFICATION_PROCESSING_WORKFLOW,
    NOTIFICATION_RETRACTION_WORKFLOW,
    notification_processing_id,
    notification_retraction_id,
    shared_processing_id,
)

SHARED_TURN = "//"
"""The fairness key of batches that several enterprises share: no enterprise's id."""

MOST_WEIGHT = 1000
"""Of a fairness key, as Temporal takes it (`temporalio.common.Priority`)."""


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run of a workflow, by Temporal's names for it."""

    workflow_id: str
    run_id: str


class _RowWorkflowStarter:
    """Starts one type of workflow; starting it for the same ids while it runs is harmless."""

    def __init__(
        self,
        client: Client,
        task_queue: str,
        *,
        workflow: str,
        workflow_id: Callable[[str, Sequence[int]], str],
        workflow_input: Callable[..., object],
    ) -> None:
        """`workflow_input` takes an enterprise's id, a list of ids, and `others` where the type of workflow does."""
        self._client = client
        self._task_queue = task_queue
        self._workflow = workflow
        self._workflow_id = workflow_id
        self._workflow_input = workflow_input

    async def start(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        priority: int = NORMAL,
        others: Sequence[Portion] = (),
    ) -> bool:
        """Start one workflow for all the ids; False if that very work is already running.

        All that it does takes its turn by `priority`, 1 first and 5 last, and within that by enterprise; what an
        enterprise shares with `others` has a turn of its own, and a memo that says whose it is.

        Raises:
            RPCError: Temporal did not answer within about ten seconds, or refused.
        """
        try:
            await self._start(enterprise_id, notification_ids, WorkflowIDReusePolicy.ALLOW_DUPLICATE, priority, others)
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def start_or_find(
        self, enterprise_id: str, notification_ids: Sequence[int], *, only_once: bool = False
    ) -> StartedRun:
        """The run that works on these ids: one that is running already, or a new one.

        `only_once`: also a run that has ended will do, so that repeating a request never starts a second.

        Raises:
            RPCError: Temporal did not answer within about ten seconds, or refused.
        """
        policy = WorkflowIDReusePolicy.REJECT_DUPLICATE if only_once else WorkflowIDReusePolicy.ALLOW_DUPLICATE
        try:
            handle = await self._start(enterprise_id, notification_ids, policy)
            run_id = handle.first_execution_run_id
        except WorkflowAlreadyStartedError as error:
            run_id = error.run_id
        assert run_id is not None, "the server names the run in both answers"
        return StartedRun(self._workflow_id(enterprise_id, notification_ids), run_id)

    async def wait(self, enterprise_id: str, notification_ids: Sequence[int]) -> None:
        """Return when the latest run that works on these ids has ended, however, or nobody can tell."""
        handle = self._client.get_workflow_handle(self._workflow_id(enterprise_id, notification_ids))
        with suppress(WorkflowFailureError, RPCError):
            await handle.result()

    async def _start(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        id_reuse_policy: WorkflowIDReusePolicy,
        priority: int = NORMAL,
        others: Sequence[Portion] = (),
    ) -> WorkflowHandle[Any, Any]:
        workflow_id = self._workflow_id(enterprise_id, notification_ids)
        workflow_input = self._workflow_input(enterprise_id, list(notification_ids))
        memo: dict[str, Any] | None = None
        if others:
            every_id = [*notification_ids, *(each for other in others for each in other.notification_ids)]
            workflow_id = shared_processing_id(every_id)
            workflow_input = self._workflow_input(enterprise_id, list(notification_ids), others=list(others))
            memo = {"enterprise_ids": [enterprise_id, *(other.enterprise_id for other in others)]}
        return await self._client.start_workflow(
            self._workflow,
            workflow_input,
            id=workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=id_reuse_policy,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            priority=Priority(
                priority_key=priority,
                fairness_key=SHARED_TURN if others else enterprise_id,
                # As many turns as there are enterprises in it.
                fairness_weight=float(min(1 + len(others), MOST_WEIGHT)),
            ),
            memo=memo,
            request_eager_start=True,
        )


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
