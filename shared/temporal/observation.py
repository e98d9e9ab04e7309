"""TemporalObserving on Temporal: statistics of the task queue, the orchestration, the schedulers that run.

None of these calls is one that Temporal Cloud bills.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from shared.health.observations import TaskQueueObservation, TemporalObservation
from shared.temporal.names import CRON_SCHEDULING_WORKFLOW, MASTER_ORCHESTRATION_ID, SCHEDULED_NOTIFICATION_WORKFLOW

CALL_TIMEOUT = timedelta(seconds=3)

POLLS_AT_LEAST_EVERY = timedelta(seconds=75)
"""An idle worker's poll lasts 60 s, and Temporal dates it from its beginning."""

_KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
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
            async with asyncio.timeout(CALL_TIMEOUT.total_seconds()):
                self._latest = await self._ask()
        except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: the first call could not connect
            self._latest = TemporalObservation(
                answered_at=self._latest.answered_at,
                error=_reason(error),
                task_queue=self._task_queue,
                orchestration=self._latest.orchestration,
                task_queues=self._latest.task_queues,
                running_schedulers=self._latest.running_schedulers,
            )
        return self._latest

    async def _ask(self) -> TemporalObservation:
        workflow, activity, orchestration, schedulers = await asyncio.gather(
            self._describe("workflow"), self._describe("activity"), self._orchestration(), self._running_schedulers()
        )
        return TemporalObservation(
            answered_at=datetime.now(UTC),
            task_queue=self._task_queue,
            orchestration=orchestration,
            task_queues={"workflow": _read(workflow), "activity": _read(activity)},
            running_schedulers=schedulers,
        )

    async def _describe(self, kind: str) -> DescribeTaskQueueResponse:
        return await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=self._task_queue),
                task_queue_type=_KINDS[kind],
                report_stats=True,
                report_pollers=True,
            ),
            timeout=CALL_TIMEOUT,
        )

    async def _orchestration(self) -> str:
        try:
            found = await self._client.get_workflow_handle(MASTER_ORCHESTRATION_ID).describe(rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return "NOT_FOUND"
        return found.status.name if found.status is not None else "UNKNOWN"

    async def _running_schedulers(self) -> frozenset[str]:
        found = self._client.list_workflows(_RUNNING_SCHEDULERS, page_size=1000, rpc_timeout=CALL_TIMEOUT)
        return frozenset([execution.id async for execution in found])


def _read(answer: DescribeTaskQueueResponse) -> TaskQueueObservation:
    """Pollers that have left stay listed for minutes, so they are counted by when they last came."""
    now = datetime.now(UTC)
    polled_at = [poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers]
    return TaskQueueObservation(
        backlog=answer.stats.approximate_backlog_count,
        backlog_age_seconds=answer.stats.approximate_backlog_age.ToTimedelta().total_seconds(),
        added_per_second=round(answer.stats.tasks_add_rate, 3),
        dispatched_per_second=round(answer.stats.tasks_dispatch_rate, 3),
        pollers=sum(now - at <= POLLS_AT_LEAST_EVERY for at in polled_at),
        last_poll_at=max(polled_at, default=None),
    )


def _reason(error: Exception) -> str:
    """Bounded, and without what an address may hold beyond itself."""
    match error:
        case RPCError():
            return f"Temporal: {error.status.name}: {error.message}"[:300]
        case TimeoutError():
            return f"Temporal does not answer within {CALL_TIMEOUT.total_seconds():g} s"
        case _:
            return f"Temporal cannot be reached: {error}"[:300]
