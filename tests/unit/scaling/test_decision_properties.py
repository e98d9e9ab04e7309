"""What holds of every decision, whatever the figures."""

from bisect import bisect
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.scaling.decision import DEEP_BACKLOG_SECONDS, LEARNS_AT_MOST_FACTOR, decide
from functions.scaling.model import Limits, Memory, Observation, QueueFigures, Verdict
from tests.unit.scaling.builders import LIMITS, Ticks, at

EVERY = (60.0, 15.0)
"""Seconds between two looks: of one a minute, and of four."""

amounts = st.floats(0, 10_000, allow_nan=False)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    least = draw(st.integers(0, 20))
    return Limits(
        min_instances=least,
        max_instances=draw(st.integers(max(1, least), 60)),
        tasks_per_second=draw(st.floats(0.01, 100)),
        drain_seconds=draw(st.floats(1, 600)),
        quiet_seconds=draw(st.floats(0, 900)),
        backlog_age_seconds=draw(st.floats(1, 600)),
        step_up=draw(st.integers(1, 10)),
    )


queues = st.builds(
    QueueFigures,
    backlog=st.integers(0, 100_000),
    backlog_age_seconds=amounts,
    added_per_second=amounts | st.just(0.0),
    dispatched_per_second=amounts,
    pollers=st.integers(0, 50),
)
observations = st.builds(
    Observation,
    current=st.integers(0, 80),
    workflow=queues,
    activity=queues,
    running=st.integers(0, 1000) | st.just(0),
)
histories = st.lists(st.tuples(st.floats(0.1, 400), observations), min_size=1, max_size=12)


@settings(deadline=None)
@given(limits(), histories)
def test_every_decision_keeps_within_bounds_steps_and_patience(limits: Limits, history: list[Any]) -> None:
    memory: Memory | None = None
    seconds = 0.0
    quiet = 0.0

    for passed, seen in history:
        seconds += passed
        decision = decide(seen, memory, limits, at(seconds))
        change = decision.instances - seen.current

        if decision.verdict is Verdict.HOLD:
            assert change == 0
            assert decision.reason is not None
        else:
            assert decision.reason is None
            assert decision.verdict is (Verdict.UP if change > 0 else Verdict.DOWN if change < 0 else Verdict.STEADY)
            _assert_steps(limits, seen, change)
            # Quiet can have begun at the earliest when the latest tick that was not quiet was over.
            quiet = quiet + passed if memory is not None and seen.backlog == 0 else 0.0
            if change < 0 and seen.current <= limits.max_instances:
                assert seen.backlog == 0
                assert quiet >= limits.quiet_seconds or limits.quiet_seconds == 0
        memory = decision.memory


def _assert_steps(limits: Limits, seen: Observation, change: int) -> None:
    count = seen.current + change
    if seen.current <= limits.max_instances:
        assert count <= limits.max_instances
    if seen.current >= limits.min_instances:
        assert count >= limits.min_instances
    assert change >= -1
    least_capacity = limits.tasks_per_second / LEARNS_AT_MOST_FACTOR
    may_double = seen.backlog > DEEP_BACKLOG_SECONDS * least_capacity * seen.current
    assert change <= max(limits.step_up, seen.current if may_double else 0)


@settings(deadline=None)
@given(limits(), histories)
def test_the_last_one_goes_only_when_nothing_comes_waits_or_runs(limits: Limits, history: list[Any]) -> None:
    memory: Memory | None = None
    seconds = 0.0

    for passed, seen in history:
        seconds += passed
        decision = decide(seen, memory, limits, at(seconds))
        memory = decision.memory

        if decision.instances == 0 and seen.current > 0:
            assert limits.min_instances == 0
            assert (seen.backlog, seen.running, seen.added_per_second) == (0, 0, 0)


@settings(deadline=None)
@given(limits(), histories)
def test_the_same_figures_get_the_same_answer_and_the_memory_survives_being_stored(
    limits: Limits, history: list[Any]
) -> None:
    memory: Memory | None = None
    seconds = 0.0

    for passed, seen in history:
        seconds += passed
        stored = Memory.from_json(memory.to_json()) if memory is not None else None
        decision = decide(seen, memory, limits, at(seconds))

        assert decide(seen, stored, limits, at(seconds)) == decision
        memory = decision.memory


@settings(deadline=None)
@given(
    every=st.sampled_from(EVERY),
    rate=st.floats(0.05, 30),
    noise=st.lists(st.floats(-0.05, 0.05), min_size=120, max_size=120),
    start=st.integers(0, 20),
)
def test_under_a_steady_load_the_number_settles_and_moves_by_one_at_most(
    every: float, rate: float, noise: list[float], start: int
) -> None:
    ticks = Ticks(start, replace(LIMITS, max_instances=40), every=every)

    counts = [ticks.tick(added=rate * (1 + each), running=1).instances for each in noise]

    settled = counts[60:]
    assert max(settled) - min(settled) <= 1
    assert min(settled) * LIMITS.tasks_per_second >= rate


@settings(deadline=None)
@given(rate=st.floats(0.05, 30), start=st.integers(0, 20))
def test_under_a_constant_load_the_number_does_not_move_at_all(rate: float, start: int) -> None:
    ticks = Ticks(start, replace(LIMITS, max_instances=40))

    settled = ticks.repeat(120, added=rate, running=1)[60:]

    assert len(set(settled)) == 1


@settings(deadline=None)
@given(histories)
def test_without_work_all_are_gone_in_the_end(history: list[Any]) -> None:
    ticks = Ticks(5)
    for passed, seen in history:
        ticks.seconds += passed
        ticks.memory = decide(seen, ticks.memory, ticks.limits, at(ticks.seconds)).memory

    assert ticks.repeat(40)[-1] == 0


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("rate", [0.3, 1.0, 2.5, 6.0, 11.0, 20.0])
@pytest.mark.parametrize("seed", range(10))
def test_arrivals_at_random_move_the_number_by_one_at_most(rate: float, seed: int, every: float) -> None:
    """Two hours of them, after the first. Rates are means of thirty seconds, as Temporal's server counts them."""
    ticks = Ticks(0, replace(LIMITS, max_instances=40), every=every)
    chance = Random(seed)
    arrived = [0.0]
    while arrived[-1] < 10_800:
        arrived.append(arrived[-1] + chance.expovariate(rate))

    def counted() -> float:
        now = ticks.seconds + every
        return (bisect(arrived, now) - bisect(arrived, now - 30)) / 30

    counts = [ticks.tick(added=counted(), running=1).instances for _ in range(int(10_800 / every))]
    settled = counts[len(counts) // 3 :]

    assert max(settled) - min(settled) <= 1
