"""What the schedulers are told, how often, and that nothing is lost while Temporal is away."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from listener.counters import ListenerCounters
from listener.schedule_waker import ScheduleWaker
from shared.supervision import Supervisor
from tests.unit.listener.fakes import FakeTemporal, eventually

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@dataclass
class Bench:
    temporal: FakeTemporal
    counters: ListenerCounters
    waker: ScheduleWaker
    useful: asyncio.Event
    now: datetime = NOON

    async def told(self, *instants: datetime) -> None:
        """Wait until ent1's scheduled rows were told of exactly so."""
        await eventually(lambda: [instant for _, instant in self.temporal.rows_told] == list(instants))

    async def settled(self) -> None:
        """Wait until all that was wanted before is told: rings of another enterprise come later."""
        told = len(self.temporal.rows_told)
        self.waker.row_scheduled("ent2", NOON + minutes(told))
        await eventually(lambda: any(each == "ent2" for each, _ in self.temporal.rows_told[told:]))
        self.temporal.rows_told.remove(("ent2", NOON + minutes(told)))


@asynccontextmanager
async def waking(*, rows_window_seconds: float = 0.001, rules_window_seconds: float = 0.001) -> AsyncIterator[Bench]:
    temporal, counters, useful = FakeTemporal(), ListenerCounters(), asyncio.Event()
    useful.set()

    async def wait_until_useful() -> None:
        await useful.wait()

    waker = ScheduleWaker(
        temporal.workflows,
        ["ent1", "ent2"],
        counters,
        wait_until_useful=wait_until_useful,
        rules_window_seconds=rules_window_seconds,
        rows_window_seconds=rows_window_seconds,
        first_backoff_seconds=0.001,
        clock=lambda: bench.now,
    )
    bench = Bench(temporal, counters, waker, useful)
    running = asyncio.create_task(waker.run(Supervisor()))
    try:
        yield bench
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_thousand_changes_of_rules_within_the_window_are_one_ring() -> None:
    async with waking(rules_window_seconds=0.02) as bench:
        for _ in range(1000):
            bench.waker.rules_changed("ent1")
        bench.waker.rules_changed("ent2")

        await eventually(lambda: sorted(bench.temporal.rules_told) == ["ent1", "ent2"])

    assert bench.counters.rule_rings == 2


async def test_changes_after_a_ring_ring_again() -> None:
    async with waking() as bench:
        bench.waker.rules_changed("ent1")
        await eventually(lambda: bench.counters.rule_rings == 1)

        bench.waker.rules_changed("ent1")

        await eventually(lambda: bench.temporal.rules_told == ["ent1", "ent1"])


async def test_of_many_scheduled_rows_the_earliest_is_told() -> None:
    async with waking(rows_window_seconds=0.02) as bench:
        for number in (5, 3, 4):
            bench.waker.row_scheduled("ent1", NOON + minutes(number))

        await bench.told(NOON + minutes(3))

    assert bench.counters.schedule_rings == 1


async def test_a_row_no_earlier_than_the_one_told_needs_no_ring_but_an_earlier_one_does() -> None:
    async with waking() as bench:
        bench.waker.row_scheduled("ent1", NOON + minutes(3))
        await bench.told(NOON + minutes(3))

        bench.waker.row_scheduled("ent1", NOON + minutes(3))
        bench.waker.row_scheduled("ent1", NOON + minutes(30))
        await bench.settled()
        assert bench.temporal.rows_told == [("ent1", NOON + minutes(3))]

        bench.waker.row_scheduled("ent1", NOON + minutes(2))
        await bench.told(NOON + minutes(3), NOON + minutes(2))


@pytest.mark.parametrize("passed", [minutes(3), minutes(3) - timedelta(seconds=0.5), timedelta(seconds=11)])
async def test_a_later_row_is_told_when_the_told_instant_is_over_near_or_told_long_ago(passed: timedelta) -> None:
    async with waking() as bench:
        bench.waker.row_scheduled("ent1", NOON + minutes(3))
        await bench.told(NOON + minutes(3))

        bench.now += passed
        bench.waker.row_scheduled("ent1", NOON + minutes(4))

        await bench.told(NOON + minutes(3), NOON + minutes(4))


async def test_a_row_that_is_due_already_is_told() -> None:
    async with waking() as bench:
        bench.waker.row_scheduled("ent1", NOON - minutes(1))
        await bench.told(NOON - minutes(1))


async def test_a_sweep_tells_what_nobody_rang_for_and_says_so() -> None:
    async with waking() as bench:
        bench.waker.earliest_row_found("ent1", NOON + minutes(5))
        await bench.told(NOON + minutes(5))

        bench.waker.earliest_row_found("ent1", NOON + minutes(4))
        await bench.told(NOON + minutes(5), NOON + minutes(4))

    assert bench.counters.recovered_schedule == 2


async def test_sweeps_that_find_what_was_told_ring_nothing_however_long_ago_that_was() -> None:
    async with waking() as bench:
        bench.waker.row_scheduled("ent1", NOON + minutes(50))
        await bench.told(NOON + minutes(50))

        for minute in range(49):
            bench.now = NOON + minutes(minute)
            bench.waker.earliest_row_found("ent1", NOON + minutes(50))
            bench.waker.earliest_row_found("ent1", NOON + minutes(51))
        await bench.settled()

        assert len(bench.temporal.rows_told) == 1
    assert bench.counters.recovered_schedule == 0


async def test_after_the_told_instant_a_sweep_tells_the_next_once_and_calls_it_no_recovery() -> None:
    async with waking() as bench:
        bench.waker.row_scheduled("ent1", NOON + minutes(1))
        await bench.told(NOON + minutes(1))

        bench.now = NOON + minutes(2)
        bench.waker.earliest_row_found("ent1", NOON + minutes(10))
        await bench.told(NOON + minutes(1), NOON + minutes(10))
        bench.waker.earliest_row_found("ent1", NOON + minutes(10))
        await bench.settled()

        assert len(bench.temporal.rows_told) == 2
    assert bench.counters.recovered_schedule == 0


async def test_while_temporal_is_away_one_ring_of_each_kind_is_kept_and_then_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with waking() as bench:
        bench.temporal.is_away = True
        for number in range(100, 0, -1):
            bench.waker.row_scheduled("ent1", NOON + minutes(number))
            bench.waker.rules_changed("ent1")
            await asyncio.sleep(0)
        await eventually(lambda: bench.temporal.unanswered >= 6)
        assert caplog.messages.count("scheduler_not_woken") == 1

        bench.temporal.is_away = False

        await bench.told(NOON + minutes(1))
        await eventually(lambda: bench.temporal.rules_told == ["ent1"])


async def test_nothing_is_tried_while_it_would_be_useless() -> None:
    async with waking() as bench:
        bench.useful.clear()
        bench.temporal.is_away = True
        for number in (3, 1, 2):
            bench.waker.row_scheduled("ent1", NOON + minutes(number))
            await asyncio.sleep(0.005)
        assert bench.temporal.unanswered == 0

        bench.temporal.is_away = False
        bench.useful.set()

        await bench.told(NOON + minutes(1))


async def test_one_enterprise_that_cannot_be_told_does_not_hold_up_another() -> None:
    temporal, counters = FakeTemporal(), ListenerCounters()
    hanging = asyncio.Event()

    async def rules_changed(enterprise_id: str) -> bool:
        if enterprise_id == "ent1":
            await hanging.wait()
        return await temporal.rules_changed(enterprise_id)

    async def at_once() -> None:
        return

    waker = ScheduleWaker(
        dataclasses.replace(temporal.workflows, rules_changed=rules_changed),
        ["ent1", "ent2"],
        counters,
        wait_until_useful=at_once,
        rules_window_seconds=0.0,
    )
    running = asyncio.create_task(waker.run(Supervisor()))
    waker.rules_changed("ent1")
    waker.rules_changed("ent2")

    await eventually(lambda: temporal.rules_told == ["ent2"])

    running.cancel()
    await asyncio.wait({running})


async def test_flushing_tells_what_is_held_without_waiting_for_the_window() -> None:
    async with waking(rules_window_seconds=3600.0, rows_window_seconds=3600.0) as bench:
        bench.waker.rules_changed("ent1")
        bench.waker.row_scheduled("ent2", NOON + minutes(1))

        await bench.waker.flush(Supervisor())

        assert bench.temporal.rules_told == ["ent1"]
        assert bench.temporal.rows_told == [("ent2", NOON + minutes(1))]


async def test_flushing_survives_temporals_absence() -> None:
    async with waking(rules_window_seconds=3600.0) as bench:
        bench.temporal.is_away = True
        bench.waker.rules_changed("ent1")

        await bench.waker.flush(Supervisor())

        assert bench.temporal.unanswered == 1
