"""Publishing heartbeats, and looking at everything at once."""

import asyncio
from collections.abc import Collection, Sequence

from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    TemporalObservation,
    WorkerObservation,
)
from shared.health_monitor import HealthMonitor
from shared.heartbeat import Reporter, beating
from shared.ports import StoreUnavailable
from shared.process_usage import ProcessUsage
from shared.supervision import Supervisor
from tests.unit.health.builders import PROCESS, a_database, a_listener, a_temporal, a_worker


class FakeStore:
    """HeartbeatStore and HealthStore in memory; away on request."""

    def __init__(self, *reports: ComponentReport) -> None:
        self.reports = {report.component_id: report for report in reports}
        self.published = 0
        self.is_away = False
        self.changed = asyncio.Event()

    async def publish(self, report: ComponentReport) -> None:
        self._answer()
        self.published += 1
        self.reports[report.component_id] = report
        self.changed.set()

    async def withdraw(self, component_id: str) -> None:
        self._answer()
        self.reports.pop(component_id, None)

    async def look(
        self,
        own: Sequence[ComponentReport],
        *,
        expected: Collection[str],
        max_age_seconds: float,
        recent_seconds: float,
        failures: int,
    ) -> tuple[list[ComponentReport], DatabaseObservation]:
        self._answer()
        self.reports |= {report.component_id: report for report in own}
        return list(self.reports.values()), a_database()

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailable("heartbeats: restarting")


class FakeTemporal:
    async def observe(self) -> TemporalObservation:
        return a_temporal()


def a_reporter() -> Reporter:
    return Reporter(ProcessUsage("test"), lambda: WorkerObservation(polling=True))


async def test_heartbeats_go_on_until_the_end_and_are_taken_away_then() -> None:
    store, reporter = FakeStore(), a_reporter()

    async with beating(reporter, store, every_seconds=0.001):
        while store.published < 3:
            store.changed.clear()
            await store.changed.wait()
        assert list(store.reports) == [reporter.component_id]

    assert store.reports == {}


async def test_heartbeats_survive_an_outage_of_the_database() -> None:
    store = FakeStore()
    store.is_away = True

    async with asyncio.timeout(5), beating(a_reporter(), store, every_seconds=0.001):
        await asyncio.sleep(0.01)
        store.is_away = False
        await store.changed.wait()

        assert store.published >= 1


async def test_heartbeats_survive_what_nobody_foresaw_and_say_so() -> None:
    store = FakeStore()
    faults: list[Exception] = [OSError(24, "Too many open files"), KeyError("defect")]

    def observe() -> WorkerObservation:
        if faults:
            raise faults.pop(0)
        return WorkerObservation(polling=True)

    reporter = Reporter(ProcessUsage("test"), observe, Supervisor(first_backoff_seconds=0.001))
    async with asyncio.timeout(5), beating(reporter, store, every_seconds=0.001):
        await store.changed.wait()

        [failing] = store.reports[reporter.component_id].failing
        assert (failing.part, failing.faults, failing.last_fault) == ("heartbeat", 2, "KeyError")


async def test_an_end_during_an_outage_is_no_failure() -> None:
    store = FakeStore()

    async with asyncio.timeout(5), beating(a_reporter(), store):
        await store.changed.wait()
        store.is_away = True

    assert len(store.reports) == 1, "it expires by itself"


async def test_a_component_of_this_process_is_taken_as_it_is_now_not_as_it_last_said() -> None:
    own = a_worker(polling=False)
    store = FakeStore(a_listener(), a_worker(polling=True))
    monitor = HealthMonitor(store, FakeTemporal(), lambda: PROCESS, own_reports=lambda: [own])

    seen = await monitor.look()

    assert seen.components == (own, a_listener())
    assert own not in store.reports.values(), "a component that waits to start is shown, and not told of"


async def test_a_look_publishes_what_runs_here_for_others_to_see() -> None:
    own = a_worker(polling=True)
    store = FakeStore(a_listener())
    monitor = HealthMonitor(store, FakeTemporal(), lambda: PROCESS, own_reports=lambda: [own], heartbeats=lambda: [own])

    seen = await monitor.look()

    assert own in store.reports.values()
    assert seen.components == (own, a_listener())


async def test_what_does_not_answer_keeps_its_last_answer_with_the_error_beside_it() -> None:
    store = FakeStore(a_listener())
    monitor = HealthMonitor(store, FakeTemporal(), lambda: PROCESS)
    before = await monitor.look()

    store.is_away = True
    after = await monitor.look()

    assert after.database.error == "Supabase: heartbeats: restarting"
    assert after.database.answered_at == before.database.answered_at
    assert after.components == before.components
    assert after.temporal.error is None

    store.is_away = False
    assert (await monitor.look()).database.error is None
