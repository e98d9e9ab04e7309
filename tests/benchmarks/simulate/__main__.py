"""A table to the terminal, the figures to build/simulate.json, and a plot to build/simulate.png."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from tests.benchmarks import trace
from tests.benchmarks.simulate.fleet import Fleet, Run
from tests.benchmarks.simulate.loads import Load, capacity, loads
from tests.benchmarks.simulate.plot import draw
from tests.benchmarks.simulate.scalers import Keda, Ours

KEPT_TRACE = Path(__file__).parents[1] / "traces" / "bench.json"
MOST_INSTANCES = 100


def figures(run: Run) -> dict[str, float]:
    """What it cost and how it served, by name."""
    cuts = quantiles([wait for _, wait in run.waits], n=100, method="inclusive")
    return {
        "instance_hours": round(run.instance_seconds / 3600, 1),
        "count_changes": run.changes,
        "wait_p50_s": round(cuts[49], 1),
        "wait_p95_s": round(cuts[94], 1),
        "wait_max_s": round(max(wait for _, wait in run.waits), 1),
        "most_instances": max(count for _, count, _ in run.counted),
    }


def simulate(load: Load, tasks_per_second: float) -> list[Run]:
    """Both scalers, each for itself."""
    ours = Ours(load.least, MOST_INSTANCES, tasks_per_second)
    return [Fleet(load, scaler).run() for scaler in (ours, Keda(load.least, MOST_INSTANCES))]


def show(results: Mapping[str, Sequence[tuple[str, Mapping[str, float]]]], title: str) -> None:
    """Print the table."""
    table = Table(title=title)
    table.add_column("load", no_wrap=True)
    table.add_column("scaler", no_wrap=True)
    for name in ("instance_hours", "count_changes", "wait_p50_s", "wait_p95_s", "wait_max_s", "most_instances"):
        table.add_column(name.replace("_", " "), justify="right")
    for load, each in results.items():
        for scaler, values in each:
            table.add_row(load, scaler, *(f"{value:g}" for value in values.values()))
    Console(width=190).print(table)


def main() -> None:
    """Simulate every load."""
    arguments = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    default = trace.OUTPUT if trace.OUTPUT.exists() else KEPT_TRACE
    arguments.add_argument("--trace", type=Path, default=default, help="as make bench records it (%(default)s)")
    arguments.add_argument("--output", type=Path, default=Path("build"))
    given = arguments.parse_args()
    recorded = trace.read(given.trace)
    does = capacity(recorded)
    runs = {load.name: simulate(load, does) for load in loads(recorded)}
    results = {name: [(run.scaler, figures(run)) for run in each] for name, each in runs.items()}
    given.output.mkdir(exist_ok=True)
    (given.output / "simulate.json").write_text(json.dumps({n: dict(r) for n, r in results.items()}, indent=2) + "\n")
    draw(runs, given.output / "simulate.png")
    show(results, f"four hours, {len(recorded)} recorded deliveries, {does:.1f} a second by an instance")


if __name__ == "__main__":
    main()
