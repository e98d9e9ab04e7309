"""What the trigger function asks of Temporal."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from functions.trigger_request import StateQuery
from shared.shards import shard_of, shared_scheduler
from shared.temporal.messages import NotificationProcessingResult
from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW, scheduled_notification_id
from shared.temporal.orchestration import RPC_TIMEOUT, Orchestration
from shared.temporal.schedulers import Schedulers
from shared.temporal.starters import NotificationProcessingStarter, StartedRun

MOST_RUNS = 20
"""Of one id, that are looked at for the latest that had any of its rows."""


class TemporalDeliveries:
    """Starts, awaits and describes runs. Every method raises RPCError if Temporal does not answer or refuses."""

    def __init__(self, client: Client, task_queue: str, *, shares_schedulers: bool = False) -> None:
        """`shares_schedulers`: enterprises have no schedulers of their own, but share those of their shard."""
        self._client = client
        self._shares_schedulers = shares_schedulers
        self._starter = NotificationProcessingStarter(client, task_queue)
        self._schedulers = Schedulers(client, task_queue, Orchestration(client, task_queue))

    async def start_or_find(
        self, enterprise_id: str, notification_ids: Collection[int], *, only_once: bool
    ) -> StartedRun:
        """The run that works on these rows; `only_once`: also one that has ended."""
        return await self._starter.start_or_find(enterprise_id, list(notification_ids), only_once=only_once)

    async def await_due(self, enterprise_id: str, instant: datetime) -> StartedRun | None:
        """Have the scheduler look by this instant; its run, or None if an operator has stopped it."""
        served = shared_scheduler(shard_of(enterprise_id)) if self._shares_schedulers else enterprise_id
        if not await self._schedulers.row_due_at(served, instant):
            return None
        scheduler = self._client.get_workflow_handle(scheduled_notification_id(served))
        description = await scheduler.describe(rpc_timeout=RPC_TIMEOUT)
        return StartedRun(description.id, description.run_id)

    async def state(self, query: StateQuery) -> dict[str, Any] | None:
        """How the run stands, as GET /trigger answers it; None if there is no such run.

        Where no run is named it is the latest that had any of the rows: one that came too late for all of them, such as
        the listener's for a row that was inserted and then triggered, tells nothing of them.
        """
        run_id = None if query.run_id is None else str(query.run_id)
        latest = await self._run(query.workflow_id, run_id)
        if run_id is not None or latest is None or not _came_too_late(latest):
            return latest
        async for run_id in self._earlier_runs(query.workflow_id):
            earlier = await self._run(query.workflow_id, run_id)
            if earlier is not None and not _came_too_late(earlier):
                return earlier
        return latest

    async def _earlier_runs(self, workflow_id: str) -> AsyncIterator[str]:
        """Latest first, and not very many."""
        if not set(workflow_id).isdisjoint("'\\"):
            return  # no id of ours
        listed = self._client.list_workflows(f"WorkflowId = '{workflow_id}'", limit=MOST_RUNS, rpc_timeout=RPC_TIMEOUT)
        runs = [(execution.start_time, execution.run_id) async for execution in listed]
        for _, run_id in sorted(runs, reverse=True):
            yield run_id

    async def _run(self, workflow_id: str, run_id: str | None) -> dict[str, Any] | None:
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
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


def _came_too_late(state: Mapping[str, Any]) -> bool:
    """Whether others had all of its rows. One that put rows off had them: it sent none, and has not left out all."""
    result = state["result"]
    return result is not None and result["notClaimed"] > 0 and not result["sent"] and not result["failed"]


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
