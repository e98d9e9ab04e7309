import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, Worker

from shared.temporal.messages import OrchestrationInput, OrchestrationObservation, OrchestrationState, SchedulerPasses
from shared.temporal.names import ADD_ENTERPRISES_SIGNAL, REMOVE_ENTERPRISES_SIGNAL, STOP_SIGNAL
from tests.workflows.conftest import PATIENCE_SECONDS, eventually
from worker.workflows.master_orchestration import MasterOrchestrationWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[MasterOrchestrationWorkflow, OrchestrationState]


class Watch:
    """Stand-ins for the watching activities; records what was asked of them."""

    def __init__(self) -> None:
        self.observed: list[list[str]] = []
        self.stopped: list[list[str]] = []
        self.missing: list[str] = []

    @activity.defn(name="observe_schedulers")
    async def observe_schedulers(self, enterprise_ids: list[str]) -> OrchestrationObservation:
        self.observed.append(enterprise_ids)
        missing, self.missing = self.missing, []
        return OrchestrationObservation(
            passes={
                enterprise_id: SchedulerPasses(cron_last="2026-11-25T12:00:00+00:00")
                for enterprise_id in enterprise_ids
            },
            restarted=missing,
            unaccounted_rows=3,
            oldest_unaccounted_age_seconds=200.0,
            observed_at="2026-11-25T12:00:01+00:00",
        )

    @activity.defn(name="stop_schedulers")
    async def stop_schedulers(self, enterprise_ids: list[str]) -> None:
        self.stopped.append(enterprise_ids)


@asynccontextmanager
async def orchestration(
    temporal: Client, task_queue: str, watch: Watch, enterprise_ids: Sequence[str] = ("ent1",)
) -> AsyncIterator[Handle]:
    async with Worker(
        temporal,
        task_queue=task_queue,
        workflows=[MasterOrchestrationWorkflow],
        activities=[watch.observe_schedulers, watch.stop_schedulers],
    ):
        started = await temporal.start_workflow(
            MasterOrchestrationWorkflow.run,
            OrchestrationInput(list(enterprise_ids)),
            id=f"{task_queue}/master-orchestration",
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=2 * PATIENCE_SECONDS),
        )
        await eventually(lambda: has_observed(watch, 1))
        yield temporal.get_workflow_handle_for(MasterOrchestrationWorkflow.run, started.id)


async def has_observed(watch: Watch, times: int) -> bool:
    return len(watch.observed) >= times


async def end(handle: Handle) -> OrchestrationState:
    await handle.signal(STOP_SIGNAL)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await handle.result()


async def test_it_looks_after_its_enterprises_at_once_and_says_what_it_saw(temporal: Client, task_queue: str) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch) as handle:
        state = await handle.query(MasterOrchestrationWorkflow.state)
        await end(handle)

    assert state.status == "running"
    assert [scheduler.workflow_id for scheduler in state.schedulers] == [
        "cron-scheduling/ent1",
        "scheduled-notification/ent1",
    ]
    assert state.schedulers[0].last_pass_at == "2026-11-25T12:00:00+00:00"
    assert (state.unaccounted_rows, state.oldest_unaccounted_age_seconds) == (3, 200.0)


async def test_an_added_enterprise_is_looked_after_at_once_and_a_known_one_changes_nothing(
    temporal: Client, task_queue: str
) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch) as handle:
        await handle.signal(ADD_ENTERPRISES_SIGNAL, ["ent1"])
        await handle.signal(ADD_ENTERPRISES_SIGNAL, ["ent2", "ent1"])
        await eventually(lambda: has_observed(watch, 2))
        await end(handle)

    assert watch.observed == [["ent1"], ["ent1", "ent2"]]


async def test_a_removed_enterprise_s_schedulers_are_stopped(temporal: Client, task_queue: str) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch, ["ent1", "ent2"]) as handle:
        await handle.signal(REMOVE_ENTERPRISES_SIGNAL, ["ent2", "stranger"])
        await eventually(lambda: has_observed(watch, 2))
        await end(handle)

    assert watch.stopped == [["ent2"], ["ent1"]]
    assert watch.observed[-1] == ["ent1"]


async def test_an_update_answers_when_it_is_done(temporal: Client, task_queue: str) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch) as handle:
        added = await handle.execute_update(MasterOrchestrationWorkflow.add_enterprises_and_wait, ["ent2"])
        removed = await handle.execute_update(MasterOrchestrationWorkflow.remove_enterprises_and_wait, ["ent1"])
        stopped = await handle.execute_update(MasterOrchestrationWorkflow.stop_and_wait)
        result = await handle.result()

    assert len(added.schedulers) == 4
    assert [scheduler.workflow_id for scheduler in removed.schedulers] == [
        "cron-scheduling/ent2",
        "scheduled-notification/ent2",
    ]
    assert watch.stopped == [["ent1"], ["ent2"]]
    assert stopped.status == result.status == "stopping"


async def test_stopping_stops_every_scheduler_and_completes(temporal: Client, task_queue: str) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch, ["ent1", "ent2"]) as handle:
        await end(handle)

    assert watch.stopped == [["ent1", "ent2"]]


async def test_schedulers_found_missing_later_are_counted_and_the_first_starts_are_not(
    temporal: Client, task_queue: str
) -> None:
    watch = Watch()
    watch.missing = ["cron-scheduling/ent1", "scheduled-notification/ent1"]

    async with orchestration(temporal, task_queue, watch) as handle:
        watch.missing = ["cron-scheduling/ent1"]
        state = await handle.execute_update(MasterOrchestrationWorkflow.add_enterprises_and_wait, ["ent2"])
        await end(handle)

    assert state.restarted == 1


async def test_it_continues_as_new_with_its_enterprises_before_its_history_grows_long(
    temporal: Client, task_queue: str
) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch) as handle:
        first_run = (await handle.describe()).run_id
        for number in range(8):
            await handle.signal(ADD_ENTERPRISES_SIGNAL, [f"more-{number}"])
            await eventually(lambda seen=number: has_observed(watch, seen + 2))  # type: ignore[misc]
        await eventually(lambda: is_another_run(handle, first_run))
        state: Any = await end(handle)

    assert len(state.schedulers) == 18


async def is_another_run(handle: Handle, run_id: str) -> bool:
    return (await handle.describe()).run_id != run_id


async def test_a_history_of_this_release_replays(temporal: Client, task_queue: str) -> None:
    watch = Watch()

    async with orchestration(temporal, task_queue, watch) as handle:
        await handle.execute_update(MasterOrchestrationWorkflow.add_enterprises_and_wait, ["ent2"])
        await handle.execute_update(MasterOrchestrationWorkflow.remove_enterprises_and_wait, ["ent1"])
        await end(handle)

    await Replayer(workflows=[MasterOrchestrationWorkflow]).replay_workflow(await handle.fetch_history())
