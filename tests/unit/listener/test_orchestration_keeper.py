"""The orchestration runs as long as somebody wants it to, and this listener is in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from listener.counters import ListenerCounters
from listener.orchestration_keeper import OrchestrationKeeper
from shared.temporal.orchestration import OrchestrationRun
from tests.unit.listener.fakes import FakeTemporal, eventually

NEVER = 3600.0


@dataclass
class Bench:
    temporal: FakeTemporal
    counters: ListenerCounters
    keeper: OrchestrationKeeper

    async def looked(self, times: int = 1) -> None:
        """Wait until it was observed this many times more, and what follows from that is done."""
        goal = self.temporal.looks + times + 1
        await eventually(lambda: self.temporal.looks >= goal)


@asynccontextmanager
async def keeping(temporal: FakeTemporal, *, interval_seconds: float = 0.002) -> AsyncIterator[Bench]:
    counters = ListenerCounters()
    keeper = OrchestrationKeeper(
        temporal.workflows,
        ["ent1", "ent2"],
        counters,
        interval_seconds=interval_seconds,
        first_backoff_seconds=0.001,
    )
    running = asyncio.create_task(keeper.run())
    try:
        yield Bench(temporal, counters, keeper)
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize("found", OrchestrationRun)
async def test_at_the_start_the_orchestration_is_joined_whatever_state_it_is_in(found: OrchestrationRun) -> None:
    temporal = FakeTemporal()
    temporal.orchestration = found

    async with keeping(temporal, interval_seconds=NEVER):
        await eventually(lambda: temporal.orchestrated == [("ent1", "ent2")])


async def test_while_it_runs_it_is_only_looked_at() -> None:
    async with keeping(FakeTemporal()) as bench:
        await bench.looked(5)

    assert len(bench.temporal.orchestrated) == 1


async def test_one_that_is_gone_is_joined_anew() -> None:
    async with keeping(FakeTemporal()) as bench:
        await bench.looked()
        bench.temporal.orchestration = OrchestrationRun.ABSENT

        await eventually(lambda: len(bench.temporal.orchestrated) == 2)
        await bench.looked(2)

    assert len(bench.temporal.orchestrated) == 2
    assert bench.counters.orchestration_restarted == 1


async def test_one_that_was_told_to_stop_stays_stopped_even_when_its_record_is_deleted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with keeping(FakeTemporal()) as bench:
        await bench.looked()
        bench.temporal.orchestration = OrchestrationRun.STOPPED
        await bench.looked(2)
        bench.temporal.orchestration = OrchestrationRun.ABSENT
        await bench.looked(2)

    assert len(bench.temporal.orchestrated) == 1
    assert caplog.messages.count("orchestration_stopped") == 1


async def test_one_that_another_daemon_started_again_is_kept_again() -> None:
    async with keeping(FakeTemporal()) as bench:
        for found in (OrchestrationRun.STOPPED, OrchestrationRun.RUNNING, OrchestrationRun.ABSENT):
            await bench.looked()
            bench.temporal.orchestration = found

        await eventually(lambda: len(bench.temporal.orchestrated) == 2)


async def test_a_recovery_is_looked_into_at_once() -> None:
    async with keeping(FakeTemporal(), interval_seconds=NEVER) as bench:
        await eventually(lambda: len(bench.temporal.orchestrated) == 1)
        bench.temporal.orchestration = OrchestrationRun.ABSENT

        bench.keeper.look_soon()

        await eventually(lambda: len(bench.temporal.orchestrated) == 2)


async def test_temporals_absence_is_outlasted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    temporal = FakeTemporal()
    temporal.is_away = True

    async with keeping(temporal) as bench:
        await eventually(lambda: temporal.unanswered >= 5)
        assert temporal.orchestrated == []
        temporal.is_away = False
        await eventually(lambda: temporal.orchestrated == [("ent1", "ent2")])
        await bench.looked()

    assert caplog.messages.count("orchestration_unreachable") == 1
