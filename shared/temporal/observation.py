"""TemporalObserving on Temporal: statistics of the task queue, the orchestration, the schedulers that run.

None of these calls is one that Temporal Cloud bills.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from shared.health.observations import TemporalObservation
from shared.temporal.names import CRON_SCHEDULING_WORKFLOW, MASTER_ORCHESTRATION_ID, SCHEDULED_NOTIFICATION_WORKFLOW
from shared.temporal.reason import temporal_reason
from shared.temporal.task_queues import read_task_queues

ANSWER_WITHIN = timedelta(seconds=3)

_RUNNING_SCHEDULERS = (
    f"WorkflowType IN ('{CRON_SCHEDULING_WORKFLOW}', '{SCHEDULED_NOTIFICATION_WORKFLOW}')"
    " AND ExecutionStatus = 'Running'"
)


class TemporalObserver:
    """The port TemporalObserving; the client may be one that connects at its first call."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue
        self._latest = TemporalObservation(task_queue=task_queue)

    async def observe(self) -> TemporalObservation:
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                self._latest = await self._ask()
        except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: the first call could not connect
            self._latest = replace(self._latest, error=_reason(error))
        return self._latest

    async def _ask(self) -> TemporalObservation:
        task_queues, orchestration, schedulers = await asyncio.gather(
            read_task_queues(self._client, self._task_queue), self._orchestration(), self._running_schedulers()
        )
        return TemporalObservation(
            answered_at=datetime.now(UTC),
            task_queue=self._task_queue,
            orchestration=orchestration,
            task_queues=task_queues,
            running_schedulers=schedulers,
        )

    async def _orchestration(self) -> str:
        try:
            found = await self._client.get_workflow_handle(MASTER_ORCHESTRATION_ID).describe(rpc_timeout=ANSWER_WITHIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return "NOT_FOUND"
        return found.status.name if found.status is not None else "UNKNOWN"

    async def _running_schedulers(self) -> frozenset[str]:
        found = self._client.list_workflows(_RUNNING_SCHEDULERS, page_size=1000, rpc_timeout=ANSWER_WITHIN)
        return frozenset([execution.id async for execution in found])


def _reason(error: Exception) -> str:
    """In words for an operator, bounded."""
    match error:
        case RPCError():
            return f"Temporal: {error.status.name}: {temporal_reason(error)}"[:300]
        case TimeoutError():
            return f"Temporal does not answer within {ANSWER_WITHIN.total_seconds():g} s"
        case RuntimeError():
            return f"Temporal cannot be reached: {temporal_reason(error)}"[:300]
        case _:
            return f"Temporal cannot be reached ({type(error).__name__})"
