"""What waits in the task queue, and who polls it, as Temporal's server tells."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion as Version
from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue, TaskQueueStats
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkerDeploymentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

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


async def read_build_queues(
    client: Client, task_queue: str, build: WorkerDeploymentVersion
) -> dict[str, TaskQueueObservation]:
    """The same of one build's tasks and pollers alone; all zero where Temporal does not know the build (yet).

    Raises RPCError.
    """
    stats, answers = await asyncio.gather(
        _read_build(client, task_queue, build),
        asyncio.gather(*(_describe(client, task_queue, number) for number in _TYPES.values())),
    )
    return {
        name: _observation(stats.get(number, TaskQueueStats()), answer, lambda poller: _is_of(poller, build))
        for (name, number), answer in zip(_TYPES.items(), answers, strict=True)
    }


async def _read(client: Client, task_queue: str, number: TaskQueueType.ValueType) -> TaskQueueObservation:
    answer = await _describe(client, task_queue, number)
    return _observation(answer.stats, answer, lambda _: True)


async def _describe(client: Client, task_queue: str, number: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=number,
            report_stats=True,
            report_pollers=True,
        ),
        timeout=RPC_TIMEOUT,
    )


async def _read_build(client: Client, task_queue: str, build: WorkerDeploymentVersion) -> dict[int, TaskQueueStats]:
    """Statistics by the number of the type."""
    try:
        answer = await client.workflow_service.describe_worker_deployment_version(
            DescribeWorkerDeploymentVersionRequest(
                namespace=client.namespace,
                deployment_version=Version(deployment_name=build.deployment_name, build_id=build.build_id),
                report_task_queue_stats=True,
            ),
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return {}
    return {queue.type: queue.stats for queue in answer.version_task_queues if queue.name == task_queue}


def _is_of(poller: PollerInfo, build: WorkerDeploymentVersion) -> bool:
    options = poller.deployment_options
    return options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED and (
        options.deployment_name,
        options.build_id,
    ) == (build.deployment_name, build.build_id)


def _observation(
    stats: TaskQueueStats, answer: DescribeTaskQueueResponse, counts: Callable[[PollerInfo], bool]
) -> TaskQueueObservation:
    now = datetime.now(UTC)
    polled_at = [poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers if counts(poller)]
    return TaskQueueObservation(
        backlog=stats.approximate_backlog_count,
        backlog_age_seconds=stats.approximate_backlog_age.ToNanoseconds() / 1e9,
        added_per_second=round(stats.tasks_add_rate, 3),
        dispatched_per_second=round(stats.tasks_dispatch_rate, 3),
        pollers=sum(now - at <= POLLS_AT_LEAST_EVERY for at in polled_at),
        last_poll_at=max(polled_at, default=None),
    )
