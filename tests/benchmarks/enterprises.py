"""`make bench-enterprises`: a thousand enterprises, and what three do in the same run; build/bench_enterprises.json."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from shared.temporal.names import NOTIFICATION_PROCESSING_WORKFLOW
from tests.benchmarks import broadcast, burst, fairness, temporal_cost
from tests.benchmarks.memory import peak_megabytes
from tests.benchmarks.processes import pid
from tests.benchmarks.system import System, running_system
from tests.benchmarks.table import Line, show
from tests.benchmarks.waiting import wait_until

OUTPUT = Path("build/bench_enterprises.json")
ENTERPRISES = int(os.environ.get("XNOVU_BENCH_ENTERPRISES", "1000"))
WARM_UP_ROWS = 300


async def measure(system: System) -> dict[str, float]:
    """Every figure, by its name in the JSON."""
    began = time.perf_counter()
    await wait_until(lambda: _schedulers_have_looked(system), poll_seconds=0.5, within_seconds=600)
    quiet_after = time.perf_counter() - began
    three = replace(system, enterprises=system.enterprises[:3])
    await burst.measure(three, WARM_UP_ROWS)
    alone = await fairness.latencies(system)  # at rest: bursts leave the servers busy for a while
    few = await burst.measure_several(three)
    since = datetime.now(UTC)
    one_each = await burst.measure_several(system, ENTERPRISES)
    five_each = await burst.measure_several(system, 5 * ENTERPRISES)
    actions = await _actions_since(system.temporal, since)
    fair = await fairness.measure(system, alone)
    return {
        "enterprises": len(system.enterprises),
        "schedulers_quiet_after_s": round(quiet_after, 1),
        "burst_rows_per_s": round(few.rows_per_second, 1),
        "many_1_rows_per_s": round(one_each.rows_per_second, 1),
        "many_1_ratio": round(one_each.rows_per_second / few.rows_per_second, 3),
        "many_5_rows_per_s": round(five_each.rows_per_second, 1),
        "many_5_ratio": round(five_each.rows_per_second / few.rows_per_second, 3),
        "many_actions_per_row": round(actions / (one_each.rows + five_each.rows), 4),
        "others_alone_p95_ms": round(fair.alone_p95_ms, 1),
        "others_beside_flood_p95_ms": round(fair.beside_p95_ms, 1),
        "others_beside_flood_ratio": round(fair.beside_p95_ms / fair.alone_p95_ms, 2),
        "others_beside_flood_jain": round(fair.jain, 4),
        "flood_rows_per_s": round(fair.flood_rows_per_second, 1),
        "lost": few.lost + one_each.lost + five_each.lost,
        "duplicates": few.duplicates + one_each.duplicates + five_each.duplicates,
        "wrong_status": few.wrong_status + one_each.wrong_status + five_each.wrong_status,
        "rss_mb_listener": round(peak_megabytes(pid(system.listener)), 1),
        "rss_mb_worker": round(peak_megabytes(pid(system.worker)), 1),
    }


def lines() -> list[Line]:
    """The table's lines, and what is asked of a figure."""
    return [
        Line("enterprises"),
        Line("schedulers_quiet_after_s"),
        Line("burst_rows_per_s"),
        Line("many_1_rows_per_s", 500, at_least=True),
        Line("many_1_ratio"),
        Line("many_5_rows_per_s"),
        Line("many_5_ratio", 0.8, at_least=True),
        Line("many_actions_per_row", 0.1),
        Line("others_alone_p95_ms"),
        Line("others_beside_flood_p95_ms"),
        Line("others_beside_flood_ratio", 2),
        Line("others_beside_flood_jain", 0.99, at_least=True),
        Line("flood_rows_per_s"),
        Line("lost", 0),
        Line("duplicates", 0),
        Line("wrong_status", 0),
        Line("rss_mb_listener", 250),
        Line("rss_mb_worker"),
    ]


async def _schedulers_have_looked(system: System) -> bool:
    looked: int = await system.database.fetchval("select count(*) from notify.scheduler_pass")
    return looked >= 2 * len(system.enterprises)


async def _actions_since(temporal: Client, since: datetime) -> int:
    """Of all deliveries that began then or later."""
    query = f"WorkflowType = '{NOTIFICATION_PROCESSING_WORKFLOW}' and StartTime >= '{since.isoformat()}'"
    costs = [await temporal_cost.of_workflow(temporal, run.id) async for run in temporal.list_workflows(query)]
    return sum(cost.actions for cost in costs)


async def run() -> Mapping[str, float]:
    """Measure on a system of its own, and single rows, with the ceiling that they are held against, on another."""
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        names = [f"enterprise-{number:04}" for number in range(ENTERPRISES)]
        async with running_system(Path(directory), names) as system:
            figures = await measure(system)
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        return figures | await broadcast.measure(Path(directory), ("single", "daemon"))


def main() -> None:
    """Measure, print, write."""
    figures = asyncio.run(run())
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    of_singles = [line for line in broadcast.lines(figures) if line.name.startswith(("single_", "ceiling_"))]
    show(f"{ENTERPRISES} enterprises", figures, [*lines(), *of_singles])


if __name__ == "__main__":
    main()
