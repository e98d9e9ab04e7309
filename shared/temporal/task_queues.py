"""What waits in the task queue, and who polls it, as Temporal's server tells."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from shared.health.observations import TaskQueueObservation

RPC_TIMEOUT = timedelta(seconds=3)

POLLS_AT_LEAST_EVERY = timedelta(seconds=75)
"""An idle worker's poll lasts 60 s, and Temporal dates it from its beginning; one that has left stays listed."""

_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def read_task_queues(client: Client, task_queue: str) -> dict[str, TaskQueueObservation]:
    """The statistics of `workflow` and of `activity` tasks; costs no Temporal action. Raises RPCError."""
    answers = await asyncio.gather(*(_read(client, task_queue, number) for number in _TYPES.values()))
    return dict(zip(_TYPES, answers, strict=True))


async def _read(client: Client, task_queue: str, number: TaskQueueType.ValueType) -> TaskQueueObservation:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=number,
            report_stats=True,
            report_pollers=True,
        ),
        timeout=RPC_TIMEOUT,
    )
    now = datetime.now(UTC)
    polled_at = [poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers]
    return TaskQueueObservation(
        backlog=answer.stats.approximate_backlog_count,
        backlog_age_seconds=answer.stats.approximate_backlog_age.ToNanoseconds() / 1e9,
        added_per_second=round(answer.stats.tasks_add_rate, 3),
        dispatched_per_second=round(answer.stats.tasks_dispatch_rate, 3),
        pollers=sum(now - at <= POLLS_AT_LEAST_EVERY for at in polled_at),
        last_poll_at=max(polled_at, default=None),
    )
