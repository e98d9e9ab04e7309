"""What waits in the task queue, and who polls it, as Temporal's server tells."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

RPC_TIMEOUT = timedelta(seconds=5)

_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


@dataclass(frozen=True, slots=True)
class TaskQueueStatistics:
    """One type of task. The server's estimate, up to five seconds old; it lists a poller for a while after it left."""

    backlog: int
    backlog_age_seconds: float
    pollers: int


async def read_task_queues(client: Client, task_queue: str) -> dict[str, TaskQueueStatistics]:
    """The statistics of `workflow` and of `activity` tasks; costs no Temporal action. Raises RPCError."""
    return {name: await _read(client, task_queue, number) for name, number in _TYPES.items()}


async def _read(client: Client, task_queue: str, number: TaskQueueType.ValueType) -> TaskQueueStatistics:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=number,
            report_stats=True,
        ),
        timeout=RPC_TIMEOUT,
    )
    return TaskQueueStatistics(
        backlog=answer.stats.approximate_backlog_count,
        backlog_age_seconds=answer.stats.approximate_backlog_age.ToNanoseconds() / 1e9,
        pollers=len(answer.pollers),
    )
