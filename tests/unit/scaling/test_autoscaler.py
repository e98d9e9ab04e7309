"""A tick: what it does when something does not answer, or not in time, or somebody else was faster."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.scaling import autoscaler
from functions.scaling.autoscaler import Autoscaler, Tick, TickInProgress
from functions.scaling.figures import Figures
from functions.scaling.model import HoldReason, QueueFigures, Verdict
from shared.ports import PoolChanged, PoolCount, PoolUnavailable, ScalerTick, StoreUnavailable
from tests.unit.scaling.builders import NO_ACTIVITIES, at, limits

POOL = "projects/p/locations/l/workerPools/n"
WORK = Figures(QueueFigures(100, 5.0, 10.0, 0.0, 0), NO_ACTIVITIES, running=0)
MEMORY_LOST = "scaler_memory_lost"
OVERTAKEN = "scaler_tick_overtaken"


@dataclass
class Doubles:
    """The ports in memory; what fails is set by the test."""

    count: int = 0
    figures: Figures = WORK
    memory: Mapping[str, Any] | None = None
    left: list[Mapping[str, Any] | None] = field(default_factory=list)
    set_to: list[int] = field(default_factory=list)
    is_held: bool = False
    is_overtaken: bool = False
    begin_fails: Exception | None = None
    end_fails: Exception | None = None
    read_fails: Exception | None = None
    set_fails: Exception | None = None
    figures_fail: Exception | None = None
    figures_hang: bool = False

    async def begin_tick(self, pool: str, *, hold_seconds: float) -> ScalerTick | None:
        if self.begin_fails:
            raise self.begin_fails
        return None if self.is_held else ScalerTick(7, at(0), self.memory)

    async def end_tick(self, pool: str, tick: ScalerTick, memory: Mapping[str, Any] | None) -> bool:
        if self.end_fails:
            raise self.end_fails
        self.left.append(memory)
        return not self.is_overtaken

    async def read(self) -> PoolCount:
        if self.read_fails:
            raise self.read_fails
        return PoolCount(self.count, "etag")

    async def set_count(self, count: int, seen: PoolCount) -> None:
        if self.set_fails:
            raise self.set_fails
        self.set_to.append(count)

    async def read_figures(self) -> Figures:
        if self.figures_hang:
            await asyncio.Event().wait()
        if self.figures_fail:
            raise self.figures_fail
        return self.figures

    async def tick(self) -> Tick:
        return await Autoscaler(POOL, lambda: self, self, self.read_figures, limits()).tick()


async def test_a_tick_sets_the_count_and_leaves_its_memory() -> None:
    doubles = Doubles()

    tick = await doubles.tick()

    assert (tick.verdict, tick.error, doubles.set_to) == (Verdict.UP, None, [4])
    [left] = doubles.left
    assert left is not None
    assert left["instances"] == 4


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        ({"begin_fails": StoreUnavailable("away")}, HoldReason.DATABASE),
        ({"read_fails": PoolUnavailable("away")}, HoldReason.CLOUD_RUN),
        ({"set_fails": PoolUnavailable("quota")}, HoldReason.CLOUD_RUN),
        ({"set_fails": PoolChanged()}, HoldReason.POOL_CHANGED),
        ({"figures_fail": RuntimeError("away")}, HoldReason.TEMPORAL),
    ],
)
async def test_what_does_not_answer_holds_the_count_and_leaves_the_memory_as_it_was(
    failing: dict[str, Exception], reason: HoldReason
) -> None:
    doubles = Doubles(**failing)  # type: ignore[arg-type]

    tick = await doubles.tick()

    assert (tick.verdict, tick.reason) == (Verdict.HOLD, reason)
    assert tick.error
    assert doubles.set_to == []
    assert doubles.left == ([] if reason is HoldReason.DATABASE else [None])


async def test_a_tick_is_over_in_time_and_lets_the_next_one_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscaler, "TICK_SECONDS", 0.05)
    doubles = Doubles(figures_hang=True)

    tick = await doubles.tick()

    assert (tick.verdict, tick.reason) == (Verdict.HOLD, HoldReason.DEADLINE)
    assert doubles.left == [None]


async def test_figures_nobody_believes_hold_the_count_and_are_remembered() -> None:
    earlier = Doubles()
    await earlier.tick()
    doubles = Doubles(count=3, memory=earlier.left[0])

    tick = await doubles.tick()

    assert (tick.reason, tick.error, doubles.set_to) == (HoldReason.NO_POLLERS, None, [])
    [left] = doubles.left
    assert left is not None
    assert left["quiet_since"] is None


async def test_while_another_tick_acts_nothing_is_read_or_done() -> None:
    doubles = Doubles(is_held=True, read_fails=AssertionError("not to be read"))

    with pytest.raises(TickInProgress):
        await doubles.tick()

    assert (doubles.set_to, doubles.left) == ([], [])


@pytest.mark.parametrize(
    ("doubles", "event"),
    [(Doubles(end_fails=StoreUnavailable("away")), MEMORY_LOST), (Doubles(is_overtaken=True), OVERTAKEN)],
)
async def test_a_memory_that_cannot_be_left_is_logged_and_the_decision_stands(
    doubles: Doubles, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tick = await doubles.tick()

    assert (tick.verdict, doubles.set_to) == (Verdict.UP, [4])
    assert [record.message for record in caplog.records] == [event]


async def test_a_pool_that_cannot_be_opened_is_tried_again() -> None:
    doubles = Doubles()
    attempts: list[int] = []

    def open_pool() -> Doubles:
        attempts.append(1)
        if len(attempts) == 1:
            raise PoolUnavailable("no credentials yet")
        return doubles

    scaler = Autoscaler(POOL, open_pool, doubles, doubles.read_figures, limits())

    assert [(await scaler.tick()).verdict for _ in range(2)] == [Verdict.HOLD, Verdict.UP]
