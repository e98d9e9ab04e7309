"""CronSchedulingWorkflow and ScheduledNotificationWorkflow: when they look, and when they sleep."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from shared.temporal.messages import SchedulerInput
from shared.temporal.names import DUE_AT_SIGNAL, RULES_CHANGED_SIGNAL, STOP_SIGNAL
from tests.workflows.conftest import PATIENCE_SECONDS, eventually
from worker.activities.rule_firing import CronPass
from worker.activities.scheduled_delivery import ScheduledPass
from worker.workflows.cron_scheduling import CronSchedulingWorkflow
from worker.workflows.scheduled_notification import ScheduledNotificationWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[Any, Any]
SCHEDULERS = [CronSchedulingWorkflow, ScheduledNotificationWorkflow]


class Passes:
    """Stand-ins for both pass activities; `sleeps` says how long each pass lets it sleep, the last one ever after."""

    def __init__(self, *sleeps: float | None, during: Callable[[], Awaitable[None]] | None = None) -> None:
        self._sleeps = list(sleeps)
        self._during = during
        self.count = 0
        self.failing = 0

    async def _next(self) -> float | None:
        self.count += 1
        if self.count <= self.failing:
            raise ApplicationError("the database is away")
        if self._during and self.count == 1:
            await self._during()
        return self._sleeps[min(self.count, len(self._sleeps)) - 1]

    @activity.defn(name="fire_due_rules")
    async def fire_due_rules(self, enterprise_id: str) -> CronPass:
        return CronPass(0, await self._next())

    @activity.defn(name="start_due")
    async def start_due(self, enterprise_id: str) -> ScheduledPass:
        return ScheduledPass(0, await self._next())


@asynccontextmanager
async def scheduler(temporal: Client, task_queue: str, workflow: Any, passes: Passes) -> AsyncIterator[Handle]:
    """The workflow, running; told to stop at the end, which must end it."""
    async with Worker(
        temporal,
        task_queue=task_queue,
        workflows=SCHEDULERS,
        activities=[passes.fire_due_rules, passes.start_due],
    ):
        handle = await temporal.start_workflow(
            workflow.run,
            SchedulerInput("ent1"),
            id=f"{task_queue}/{workflow.__name__}",
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=2 * PATIENCE_SECONDS),
        )
        yield handle
        current = temporal.get_workflow_handle(handle.id)  # of whatever run it has come to
        await current.signal(STOP_SIGNAL)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await current.result()


async def signal(handle: Handle, *, at: datetime | None = None) -> None:
    """The doorbell of either scheduler."""
    if at is None:
        await handle.signal(RULES_CHANGED_SIGNAL)
    else:
        await handle.signal(DUE_AT_SIGNAL, at.isoformat())


def has_looked(passes: Passes, times: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return passes.count >= times

    return check


@pytest.mark.parametrize("workflow", SCHEDULERS)
async def test_it_looks_at_once_and_again_when_the_next_instant_comes(
    temporal: Client, task_queue: str, workflow: Any
) -> None:
    passes = Passes(0.2, 0.2, None)

    async with scheduler(temporal, task_queue, workflow, passes):
        await eventually(has_looked(passes, 3))


@pytest.mark.parametrize("workflow", SCHEDULERS)
async def test_with_nothing_due_it_sleeps_without_a_timer(temporal: Client, task_queue: str, workflow: Any) -> None:
    passes = Passes(None)

    async with scheduler(temporal, task_queue, workflow, passes) as handle:
        await eventually(has_looked(passes, 1))

    names = {event.WhichOneof("attributes") for event in (await handle.fetch_history()).events}
    assert "timer_started_event_attributes" not in names
    assert passes.count == 1


async def test_a_changed_rule_ends_the_sleep(temporal: Client, task_queue: str) -> None:
    passes = Passes(3600.0)

    async with scheduler(temporal, task_queue, CronSchedulingWorkflow, passes) as handle:
        await eventually(has_looked(passes, 1))
        await signal(handle)
        await eventually(has_looked(passes, 2))


async def test_a_rule_changed_during_a_pass_is_looked_at_after_it(temporal: Client, task_queue: str) -> None:
    handle = temporal.get_workflow_handle(f"{task_queue}/CronSchedulingWorkflow")
    passes = Passes(None, during=lambda: signal(handle))

    async with scheduler(temporal, task_queue, CronSchedulingWorkflow, passes):
        await eventually(has_looked(passes, 2))


async def test_a_row_due_earlier_ends_the_sleep_and_one_due_later_does_not(temporal: Client, task_queue: str) -> None:
    passes = Passes(600.0)
    now = datetime.now(UTC)

    async with scheduler(temporal, task_queue, ScheduledNotificationWorkflow, passes) as handle:
        await eventually(has_looked(passes, 1))
        await signal(handle, at=now + timedelta(hours=1))
        await signal(handle, at=now + timedelta(seconds=5))
        await eventually(has_looked(passes, 2))

    assert passes.count == 2


async def test_a_row_scheduled_while_none_was_ends_the_sleep(temporal: Client, task_queue: str) -> None:
    passes = Passes(None)

    async with scheduler(temporal, task_queue, ScheduledNotificationWorkflow, passes) as handle:
        await eventually(has_looked(passes, 1))
        await signal(handle, at=datetime.now(UTC) + timedelta(days=300))
        await eventually(has_looked(passes, 2))


@pytest.mark.parametrize("workflow", SCHEDULERS)
async def test_it_outlives_an_outage_of_the_database(temporal: Client, task_queue: str, workflow: Any) -> None:
    passes = Passes(None)
    passes.failing = 4  # more than one pass tries by itself

    async with scheduler(temporal, task_queue, workflow, passes) as handle:
        await eventually(has_looked(passes, 5))

        assert (await handle.query(workflow.state, "ent1")).passes == 1


@pytest.mark.parametrize("workflow", SCHEDULERS)
async def test_it_continues_as_new_before_its_history_grows_long(
    temporal: Client, task_queue: str, workflow: Any
) -> None:
    passes = Passes(*[0.01] * 5, None)

    async with scheduler(temporal, task_queue, workflow, passes) as handle:
        await eventually(has_looked(passes, 6))

        description = await temporal.get_workflow_handle(handle.id).describe()
        state = await temporal.get_workflow_handle(handle.id).query(workflow.state, "ent1")
        assert description.run_id != handle.first_execution_run_id
        assert state.passes >= 5


@pytest.mark.parametrize("workflow", SCHEDULERS)
async def test_a_history_of_this_release_replays(temporal: Client, task_queue: str, workflow: Any) -> None:
    passes = Passes(0.05, 0.05, None)

    async with scheduler(temporal, task_queue, workflow, passes) as handle:
        await eventually(has_looked(passes, 3))

    await Replayer(workflows=SCHEDULERS, workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(
        await handle.fetch_history()
    )
