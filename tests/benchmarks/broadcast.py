"""`make bench-broadcast`: rings by broadcast, to the terminal and build/bench_broadcast.json; eight minutes.

Arguments name some of the parts `single`, `daemon`, `foreign`, `harms`; without any, all. FEED is the way that is
measured, `auto` unless told otherwise; the edge's polls are as slow as the real server's.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from stack.processes import ChildProcess, free_port
from tests.benchmarks import burst, ceiling, foreign, harms, single
from tests.benchmarks.single import SingleRow
from tests.benchmarks.system import ENTERPRISES, System, running_system
from tests.benchmarks.table import Line, show

OUTPUT = Path("build/bench_broadcast.json")
PARTS = ("single", "daemon", "foreign", "harms")
WARM_UP_ROWS = 300


async def measure(directory: Path, parts: Collection[str]) -> dict[str, float]:
    """The figures of these parts, by their names in the JSON."""
    figures: dict[str, float] = {}
    async with running_system(directory) as system:
        await burst.measure(system, WARM_UP_ROWS)
        if {"single", "daemon"} & set(parts):
            limit = await ceiling.measure(system.temporal, system.stack.environment)
            figures["ceiling_p50_ms"] = round(limit.p50_ms, 1)
        if "single" in parts:
            figures |= _latency("broadcast", await single.measure(system))
        if "foreign" in parts:
            beside = await foreign.measure(system)
            figures |= {
                "burst_rows_per_s": round(beside.burst.rows_per_second, 1),
                "burst_not_once": beside.burst.lost + beside.burst.duplicates,
                "burst_published": beside.published,
                "foreign_beats": beside.beats,
                "foreign_worst_late_s": round(beside.worst_late_s, 3),
                "foreign_beats_lost": beside.beats_lost,
                "sockets_lost": beside.sockets_lost,
            }
        if "harms" in parts:
            for name in harms.HARMS:
                harm = await harms.measure(system, name)
                figures |= {
                    f"{name}_p50_ms": round(harm.p50_ms, 1),
                    f"{name}_worst_ms": round(harm.worst_ms, 1),
                    f"{name}_failed": harm.failed,
                    f"{name}_not_once": harm.not_once,
                }
        if "daemon" in parts:
            await system.listener.stop(within_seconds=15)
            await system.worker.stop(within_seconds=15)
            figures |= _latency("daemon", await _in_one_daemon(system, directory))
    return figures


async def _in_one_daemon(system: System, directory: Path) -> SingleRow:
    daemon = ChildProcess("daemon", directory / "daemon.log")
    environment = {
        **system.stack.environment,
        "DAEMON_ENTERPRISE_IDS": ",".join(each.enterprise_id for each in system.enterprises),
        "DAEMON_HEALTH_PORT": str(free_port()),
        "XDG_STATE_HOME": str(directory),
    }
    await daemon.start([sys.executable, "-m", "cli", "daemon", "start", "--foreground"], environment)
    try:
        of_it = replace(system, listener=daemon, worker=daemon)
        await burst.measure(of_it, WARM_UP_ROWS)
        return await single.measure(of_it)
    finally:
        await daemon.stop(within_seconds=15)


def _latency(name: str, measured: SingleRow) -> dict[str, float]:
    return {f"single_{name}_p50_ms": round(measured.p50_ms, 1), f"single_{name}_p95_ms": round(measured.p95_ms, 1)}


def lines(figures: Mapping[str, float]) -> list[Line]:
    """The table's lines, and what is asked of a figure."""
    limit, unharmed = figures.get("ceiling_p50_ms", 0.0), figures.get("unharmed_worst_ms", 0.0)
    asked = [
        Line("ceiling_p50_ms"),
        Line("single_broadcast_p50_ms", limit),
        Line("single_broadcast_p95_ms", 2 * limit),
        Line("single_daemon_p50_ms", 60),
        Line("single_daemon_p95_ms"),
        Line("burst_rows_per_s"),
        Line("burst_not_once", 0),
        Line("burst_published", len(ENTERPRISES)),
        Line("foreign_beats"),
        Line("foreign_worst_late_s", 1),
        Line("foreign_beats_lost", 0),
        Line("sockets_lost", 0),
        *(
            line
            for name in harms.HARMS
            for line in (
                Line(f"{name}_p50_ms"),
                Line(f"{name}_worst_ms", unharmed + 100),
                Line(f"{name}_failed", 0),
                Line(f"{name}_not_once", 0),
            )
        ),
    ]
    return [line for line in asked if line.name in figures]


def main() -> None:
    """Measure, print, write."""
    parts = sys.argv[1:] or PARTS
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    os.environ["EDGE_REALISTIC"] = "1"
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        figures = asyncio.run(measure(Path(directory), parts))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    show("Rings by broadcast: two cores, every server on the same machine", figures, lines(figures))


if __name__ == "__main__":
    main()
