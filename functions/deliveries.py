"""What the trigger function asks of Temporal."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from functions.trigger_request import StateQuery
from shared.temporal.messages import NotificationProcessingResult
from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, scheduled_notification_id
from shared.temporal.orchestration import RPC_TIMEOUT, Orchestration
from shared.temporal.schedulers import Schedulers
from shared.temporal.starters import NotificationProcessingStarter, StartedRun


class TemporalDeliveries:
    """Starts, awaits and describes runs. Every method raises RPCError if Temporal does not answer or refuses."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._starter = NotificationProcessingStarter(client, task_queue)
        self._schedulers = Schedulers(client, task_queue, Orchestration(client, task_queue))

    async def start_or_find(
        self, enterprise_id: str, notification_ids: Collection[int], *, only_once: bool
    ) -> StartedRun:
        """The run that works on these rows; `only_once`: also one that has ended."""
        return await self._starter.start_or_find(enterprise_id, list(notification_ids), only_once=only_once)

    async def await_due(self, enterprise_id: str, instant: datetime) -> StartedRun | None:
        """Have the scheduler look by this instant; its run, or None if an operator has stopped it."""
        if not await self._schedulers.row_due_at(enterprise_id, instant):
            return None
        scheduler = self._client.get_workflow_handle(scheduled_notification_id(enterprise_id))
        description = await scheduler.describe(rpc_timeout=RPC_TIMEOUT)
        return StartedRun(description.id, description.run_id)

    async def state(self, query: StateQuery) -> dict[str, Any] | None:
        """How the run stands, as GET /trigger answers it; None if there is no such run."""
        handle = self._client.get_workflow_handle(
            query.workflow_id, run_id=None if query.run_id is None else str(query.run_id)
        )
        try:
            description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return {
            "workflowId": description.id,
            "runId": description.run_id,
            "status": "UNKNOWN" if description.status is None else description.status.name,
            "startedAt": _instant(description.start_time),
            "closedAt": _instant(description.close_time),
            "result": await self._result(description),
        }

    async def _result(self, description: WorkflowExecutionDescription) -> dict[str, Any] | None:
        if (
            description.status is not WorkflowExecutionStatus.COMPLETED
            or description.workflow_type != NOTIFICATION_PROCESSING_WORKFLOW
        ):
            return None
        handle = self._client.get_workflow_handle(
            description.id, run_id=description.run_id, result_type=NotificationProcessingResult
        )
        result = await handle.result(follow_runs=False, rpc_timeout=RPC_TIMEOUT)
        return {"sent": result.sent, "failed": result.failed, "notClaimed": result.not_claimed}


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
