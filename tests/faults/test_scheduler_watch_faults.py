"""Every await of the scheduler watch meets a foreign exception in turn: another attempt sees to all that was left."""

from collections.abc import AsyncIterator, Collection
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client

from shared.ports import SchedulerPass, Unaccounted
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.injector import raising_once_at
from tests.faults.test_worker_faults import attempted
from worker.activities.scheduler_watch import SchedulerWatch

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

POINTS = await_points("worker.activities.scheduler_watch")
ENTERPRISES = ["ent1", "ent2"]


class FakeTemporal:
    """Workflows by id, of which some run."""

    def __init__(self) -> None:
        self.running = {"elsewhere"}

    async def list_workflows(self, query: str, *, page_size: int) -> AsyncIterator[Any]:
        for workflow_id in tuple(self.running):
            yield SimpleNamespace(id=workflow_id)

    async def start_workflow(self, workflow: str, argument: Any, **options: Any) -> None:
        self.running.add(options["id"])

    def get_workflow_handle(self, workflow_id: str) -> Any:
        async def signal(name: str) -> None:
            self.running.discard(workflow_id)

        return SimpleNamespace(signal=signal)


class NoRows:
    """Nothing is unaccounted for, and no scheduler has looked yet."""

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        return Unaccounted(0, 0.0)

    async def unaccounted_in(self, shards: Collection[int], *, older_than_seconds: int) -> Unaccounted:
        return Unaccounted(0, 0.0)

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        return []


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_an_await_of_the_watch_that_fails_costs_an_attempt(point: AwaitPoint) -> None:
    temporal = FakeTemporal()
    watch = SchedulerWatch(cast(Client, temporal), "queue", NoRows())

    with raising_once_at(point) as injection:
        observed = await attempted(watch.observe_schedulers, ENTERPRISES)
        started = set(temporal.running)
        await attempted(watch.stop_schedulers, ENTERPRISES)

    assert injection.has_fired or injection.was_left, "the scene does not come here"
    assert set(observed.passes) == set(ENTERPRISES)
    assert len(started) == 5, "two of each enterprise, and one of another's"
    assert temporal.running == {"elsewhere"}
