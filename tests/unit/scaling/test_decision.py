"""How many workers there should be: what each rule of decision 0027 does."""

import pytest

from functions.scaling.decision import decide
from functions.scaling.model import HoldReason, Memory, Verdict
from tests.unit.scaling.builders import Ticks, at, limits, seen


def test_a_backlog_brings_workers_from_nothing_step_by_step() -> None:
    ticks = Ticks(0)

    first = ticks.tick(backlog=5000, age=10.0, added=80.0, pollers=0)

    assert (first.verdict, first.instances, first.target) == (Verdict.UP, 4, 20)
    # A backlog of more than four minutes' work for all of them lets the number double.
    assert [ticks.tick(backlog=5000, age=age, added=80.0).instances for age in (70.0, 130.0)] == [8, 16]


def test_a_shallow_backlog_does_not_let_the_number_double() -> None:
    ticks = Ticks(8)

    assert ticks.tick(backlog=1000, age=5.0, added=30.0).instances == 12


def test_a_rate_alone_keeps_the_workers_it_needs() -> None:
    ticks = Ticks(4)

    # 6 tasks/s are three workers' work; with a fifth to spare, four.
    assert ticks.repeat(30, added=6.0) == [4] * 30


def test_both_types_of_tasks_count() -> None:
    observation = seen(current=1, added=3.0)
    both = type(observation)(
        current=1, workflow=observation.workflow, activity=observation.workflow, running=observation.running
    )

    assert decide(both, None, limits(), at(0)).target == 4


def test_what_waits_too_long_brings_one_more_whatever_the_rate() -> None:
    ticks = Ticks(3)

    decision = ticks.tick(backlog=1, age=61.0, added=0.1)

    assert (decision.verdict, decision.instances) == (Verdict.UP, 4)


def test_fewer_come_one_by_one_and_only_after_quiet() -> None:
    ticks = Ticks(6)

    counts = ticks.repeat(9, added=2.0)

    # 300 s of quiet are six ticks of a minute from the first that finds it quiet.
    assert counts == [6, 6, 6, 6, 6, 5, 4, 3, 2]


@pytest.mark.parametrize(
    "disturbance",
    [{"backlog": 1, "age": 0.5, "added": 2.0}, {"added": 40.0}, {"added": 2.0, "pollers": 0}],
    ids=["a task that waits", "a rate that needs them all", "figures nobody believes"],
)
def test_quiet_begins_anew_after_a_disturbance(disturbance: dict[str, float]) -> None:
    ticks = Ticks(10)
    ticks.repeat(5, added=2.0)

    ticks.tick(**disturbance)
    before = ticks.current

    assert ticks.repeat(5, added=2.0) == [before] * 5


def test_quiet_is_not_believed_if_nobody_has_looked() -> None:
    ticks = Ticks(6)
    ticks.repeat(5, added=2.0)

    ticks.seconds += 200

    assert ticks.repeat(5, added=2.0) == [6] * 5


def test_idle_for_long_enough_ends_all_where_none_are_needed() -> None:
    assert Ticks(2).repeat(9) == [2, 2, 2, 2, 2, 1, 0, 0, 0]
    assert Ticks(2, limits(min_instances=1)).repeat(9) == [2, 2, 2, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("figures", [{"running": 1}, {"added": 0.03}, {"backlog": 1, "age": 1.0}])
def test_the_last_one_stays_while_anything_runs_comes_or_waits(figures: dict[str, float]) -> None:
    assert Ticks(1).repeat(60, **figures)[-1] >= 1


def test_what_runs_without_any_worker_gets_one() -> None:
    assert Ticks(0).tick(running=1).instances == 1


def test_without_pollers_the_number_is_held() -> None:
    decision = Ticks(3).tick(backlog=900, age=80.0, pollers=0)

    assert (decision.verdict, decision.reason, decision.instances) == (Verdict.HOLD, HoldReason.NO_POLLERS, 3)


def test_figures_that_stand_still_while_time_goes_on_are_stale() -> None:
    ticks = Ticks(2)
    frozen = {"backlog": 40, "age": 12.5, "added": 1.0}

    verdicts = [ticks.tick(**frozen).reason for _ in range(3)]

    assert verdicts == [None, HoldReason.STALE, HoldReason.STALE]
    assert ticks.tick(backlog=40, age=72.5, added=1.0).reason is None


def test_figures_that_the_server_keeps_for_some_seconds_are_not_stale() -> None:
    ticks = Ticks(2, every=5.0)

    assert [ticks.tick(backlog=40, age=12.5, added=1.0).reason for _ in range(4)] == [None] * 4


def test_a_memory_of_the_future_is_stale_once() -> None:
    later = decide(seen(current=1), None, limits(), at(7200)).memory

    first = decide(seen(current=1), later, limits(), at(0))
    second = decide(seen(current=1), first.memory, limits(), at(60))

    assert (first.reason, second.reason) == (HoldReason.STALE, None)


def test_what_an_instance_does_is_learned_while_all_are_busy() -> None:
    ticks = Ticks(4, limits(max_instances=4))

    ticks.repeat(20, backlog=500, added=20.0, dispatched=20.0)

    assert ticks.memory is not None
    assert ticks.memory.tasks_per_second == pytest.approx(5.0, rel=0.01)


@pytest.mark.parametrize(("dispatched", "learned"), [(0.0, 0.5), (1000.0, 8.0)])
def test_what_is_learned_stays_near_what_was_set(dispatched: float, learned: float) -> None:
    ticks = Ticks(4, limits(max_instances=4))

    for minute in range(20):
        ticks.tick(backlog=500, age=10.0 + minute, added=20.0, dispatched=dispatched)

    assert ticks.memory is not None
    assert ticks.memory.tasks_per_second == learned


def test_nothing_is_learned_from_workers_that_have_just_come() -> None:
    ticks = Ticks(4)

    ticks.tick(backlog=5000, age=1.0, added=100.0, dispatched=8.0)
    ticks.tick(backlog=5000, age=2.0, added=100.0, dispatched=8.0)

    assert ticks.memory is not None
    assert ticks.memory.tasks_per_second == 2.0


def test_what_was_learned_is_forgotten_when_an_operator_sets_another_number() -> None:
    ticks = Ticks(4, limits(max_instances=4))
    ticks.repeat(20, backlog=500, added=20.0, dispatched=20.0)

    ticks.limits = limits(max_instances=4, tasks_per_second=3.0)
    ticks.tick(added=1.0)

    assert ticks.memory is not None
    assert ticks.memory.tasks_per_second == 3.0


def test_a_lower_maximum_is_reached_one_by_one_without_waiting_for_quiet() -> None:
    assert Ticks(6, limits(max_instances=4)).repeat(4, added=100.0) == [5, 4, 4, 4]


def test_a_higher_minimum_is_reached_in_steps() -> None:
    assert Ticks(0, limits(min_instances=6)).repeat(3) == [4, 6, 6]


def test_memory_is_stored_as_json_and_another_releases_is_not_taken_for_ours() -> None:
    memory = Ticks(2).tick(added=1.0).memory
    assert memory is not None

    assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(None) is None
    assert Memory.from_json({"rate": 1.0}) is None
