"""The simulator: it loses no task, invents no instance, and has KEDA's formula right."""

from pathlib import Path

import pytest

from functions.scaling.model import Observation
from tests.benchmarks import trace
from tests.benchmarks.simulate import __main__ as simulation
from tests.benchmarks.simulate.fleet import COLD_START_SECONDS, Fleet
from tests.benchmarks.simulate.loads import SECONDS, Load, Task, bursts, capacity, loads
from tests.benchmarks.simulate.scalers import Keda
from tests.unit.scaling.builders import seen

RECORDED = trace.read(simulation.KEPT_TRACE)


class Always:
    """As many as it was told, whatever there is to do."""

    name = "always"
    every_seconds = 60.0

    def __init__(self, count: int) -> None:
        self._count = count
        self.seen: list[Observation] = []

    def count(self, at: float, seen: Observation) -> int:
        self.seen.append(seen)
        return self._count


def test_the_kept_trace_is_one_of_real_deliveries() -> None:
    assert len(RECORDED) > 200
    assert all(delivery.worked > 0 and delivery.waited >= 0 for delivery in RECORDED)
    assert [delivery.at for delivery in RECORDED] == sorted(delivery.at for delivery in RECORDED)


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    trace.write(RECORDED, tmp_path / "trace.json")

    assert trace.read(tmp_path / "trace.json") == RECORDED


def test_every_task_that_comes_is_done_once_and_in_order_by_one_instance() -> None:
    tasks = tuple(Task(float(number), 2.0) for number in range(100))

    run = Fleet(Load("a queue", tasks, least=1), Always(1)).run()

    assert [came for came, _ in run.waits] == [task.at for task in tasks]
    # Each takes two seconds and comes a second after the last: the wait grows by a second each time.
    assert [wait for _, wait in run.waits] == [float(number) for number in range(100)]


def test_instances_are_paid_for_from_their_start_to_their_end() -> None:
    run = Fleet(Load("nothing", (), least=2), Always(2)).run()

    assert run.instance_seconds == 2 * (SECONDS + COLD_START_SECONDS)
    assert run.changes == 0


def test_an_instance_takes_its_time_to_start() -> None:
    run = Fleet(Load("one", (Task(0.0, 1.0),), least=0), Always(1)).run()

    assert run.waits == [(0.0, COLD_START_SECONDS)]


def test_an_instance_that_leaves_finishes_what_it_has() -> None:
    class OneThenNone(Always):
        def count(self, at: float, seen: Observation) -> int:
            super().count(at, seen)
            return 1 if at < 60 else 0

    run = Fleet(Load("a long one", (Task(0.0, 100.0),), least=0), OneThenNone(1)).run()

    assert run.instance_seconds == pytest.approx(COLD_START_SECONDS + 100.0)


def test_scalers_see_the_queue_as_temporal_tells_of_it() -> None:
    scaler = Always(1)

    Fleet(Load("busy", tuple(Task(second / 2, 1.0) for second in range(400)), least=1), scaler).run()

    after_a_minute = scaler.seen[1]
    assert (after_a_minute.pollers, after_a_minute.current) == (1, 1)
    assert after_a_minute.backlog == pytest.approx(60, abs=1)
    assert after_a_minute.added_per_second == pytest.approx(2.0, abs=0.1)
    assert after_a_minute.dispatched_per_second == pytest.approx(1.0, abs=0.1)
    assert after_a_minute.backlog_age_seconds == pytest.approx(30.0, abs=1.0)


def test_kedas_formula_steps_up_and_is_slow_to_come_down() -> None:
    keda = Keda(least=1, most=100)

    counts = [
        keda.count(at, seen(current=current, backlog=backlog))
        for at, current, backlog in [(0, 1, 4), (15, 1, 51), (30, 5, 51), (45, 10, 0), (329, 10, 0), (331, 10, 0)]
    ]

    assert counts == [1, 5, 10, 10, 10, 1]


def test_loads_ask_for_as_many_instances_as_their_names_say() -> None:
    steady, bursts, trickle, _ = loads(RECORDED)

    busy = [sum(task.work for task in load.tasks) / SECONDS for load in (steady, bursts, trickle)]

    assert busy == pytest.approx([3.0, 20 / 6, 0.1], rel=0.05)
    assert capacity(RECORDED) > 1


def test_under_a_steady_load_ours_costs_less_than_keda_and_changes_less() -> None:
    load = loads(RECORDED)[0]

    ours, keda = map(simulation.figures, simulation.simulate(load, capacity(RECORDED)))

    assert ours["instance_hours"] < keda["instance_hours"] / 2
    assert ours["count_changes"] <= 5
    assert ours["wait_p95_s"] <= keda["wait_p95_s"]


@pytest.mark.parametrize(("seed", "begins"), [(0, 0.0), (1, 7.0), (2, 31.0), (3, 52.0)])
def test_a_sudden_burst_waits_no_longer_than_with_kedas_formula_and_costs_no_fifth_more(
    seed: int, begins: float
) -> None:
    """Wherever between two looks it begins, and however its tasks fall."""
    load = bursts(RECORDED, seed, begins)

    ours, keda = map(simulation.figures, simulation.simulate(load, capacity(RECORDED)))

    assert ours["wait_p95_s"] <= keda["wait_p95_s"]
    assert ours["instance_hours"] <= 1.2 * keda["instance_hours"]
