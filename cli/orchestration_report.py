"""What can be said of the orchestration from outside, whether or not a daemon runs."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from cli import patience
from shared.settings import TemporalSettings, temporal_connect_config
from shared.temporal.client import connect_once
from shared.temporal.messages import OrchestrationState
from shared.temporal.names import MASTER_ORCHESTRATION_ID
from shared.temporal.reason import temporal_reason

CALL_TIMEOUT = timedelta(seconds=patience.ANSWERS_WITHIN_SECONDS)

ANSWER_WITHIN_SECONDS = patience.ANSWERS_WITHIN_SECONDS
"""A worker answers a query in milliseconds; a busy one gets a moment more."""

POLLS_AT_LEAST_EVERY = timedelta(seconds=75)
"""An idle worker's poll lasts 60 s, and Temporal dates it from its beginning (measured on server 1.32: up to 56 s old
while the worker was well). So an old poll proves that nobody works, a recent one not that anybody does."""


class OrchestrationCondition(StrEnum):
    """The orchestration in a word or three."""

    RUNNING = "running"
    WAITING = "waiting for a daemon"
    STOPPED = "stopped"
    NOT_STARTED = "not started"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class OrchestrationReport:
    """One look. `reason` says why it is not running; the workflow began and, if it has, ended at these instants.

    `last_poll_at` is when a worker was last seen on the task queue; `observed` is the orchestration's own account,
    which only a worker can give: None without one.
    """

    condition: OrchestrationCondition
    reason: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_poll_at: datetime | None = None
    observed: OrchestrationState | None = None


async def report_orchestration(settings: TemporalSettings) -> OrchestrationReport:
    """Look now; takes a few seconds at most. Never raises for what Temporal does or does not answer.

    Raises:
        SettingsError: Temporal's connection settings are wrong.
    """
    connect_config = temporal_connect_config()
    try:
        client = await connect_once(
            settings.temporal_address, settings.temporal_namespace, connect_config, within=CALL_TIMEOUT
        )
        # First, because only a missing namespace makes it fail as "not found".
        last_poll_at = await _last_poll_at(client, settings.temporal_task_queue)
        return await _report(client, last_poll_at)
    except (RPCError, RuntimeError) as error:
        return OrchestrationReport(
            OrchestrationCondition.UNREACHABLE,
            reason=f"Temporal at {settings.temporal_address}: {temporal_reason(error)}",
        )


async def _last_poll_at(client: Client, task_queue: str) -> datetime | None:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=CALL_TIMEOUT,
    )
    return max((poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers), default=None)


async def _report(client: Client, last_poll_at: datetime | None) -> OrchestrationReport:
    try:
        found = await client.get_workflow_handle(MASTER_ORCHESTRATION_ID).describe(rpc_timeout=CALL_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return OrchestrationReport(
            OrchestrationCondition.NOT_STARTED, "no daemon has ever started it", last_poll_at=last_poll_at
        )
    if found.status is not WorkflowExecutionStatus.RUNNING:
        return _ended(found, last_poll_at)
    observed, reason = await _ask(client, last_poll_at)
    condition = OrchestrationCondition.WAITING if observed is None else OrchestrationCondition.RUNNING
    return OrchestrationReport(condition, reason, found.start_time, None, last_poll_at, observed)


def _ended(found: WorkflowExecutionDescription, last_poll_at: datetime | None) -> OrchestrationReport:
    """It completes only when it is told to stop; after any other end the next look of a listener starts it again."""
    if found.status is WorkflowExecutionStatus.COMPLETED:
        condition, reason = OrchestrationCondition.STOPPED, "it was told to stop"
    else:
        end = found.status.name.lower() if found.status else "an unknown end"
        condition, reason = OrchestrationCondition.NOT_STARTED, f"its last run ended: {end}"
    return OrchestrationReport(condition, reason, found.start_time, found.close_time, last_poll_at)


async def _ask(client: Client, last_poll_at: datetime | None) -> tuple[OrchestrationState | None, str | None]:
    """The orchestration's own account, or why there is none."""
    if last_poll_at is None or datetime.now(UTC) - last_poll_at > POLLS_AT_LEAST_EVERY:
        return None, "no worker polls the task queue"
    handle = client.get_workflow_handle(MASTER_ORCHESTRATION_ID)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            return await handle.query("state", result_type=OrchestrationState), None
    except (TimeoutError, RPCError):
        # Temporal words it in several ways: failed precondition, deadline exceeded, cancelled.
        return None, f"no worker answered within {ANSWER_WITHIN_SECONDS:g} s"
    except WorkflowQueryFailedError as error:
        return None, f"a worker could not answer: {error}"
