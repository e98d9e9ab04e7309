"""`make soak MINUTES=m`: a steady mix of everything for so long, and whether anything grows meanwhile.

Writes build/soak.json and build/soak.png. Exit code 1 if anything grows by more than is allowed, or rows did not end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.load import Load
from tests.e2e import rules
from tests.soak import plot
from tests.soak.bed import ALL_LEAKS, Bed, running_bed
from tests.soak.samples import Samples
from tests.soak.series import Finding, Verdict, find

RESULT = Path("build/soak.json")
PLOT = Path("build/soak.png")
ROWS_PER_SECOND = 8.0
LEAST_MINUTES = 2.0
SETTLED_WITHIN_SECONDS = 600.0
WARM_UP_SHARE = 0.4
"""Of the run: until rows are pruned as fast as they come, and caches and heaps have the size that the load needs."""
EXPECTED_OUTCOMES = ("SENT", "RETRACTED", "FAILED expired", "FAILED template_invalid")


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of one run."""

    findings: list[Finding]
    written: dict[str, int]
    outcomes: dict[str, int]
    open_rows: int

    @property
    def faults(self) -> list[str]:
        """What fails it, a line each."""
        grown = [f"{it.name}: {it.verdict}" for it in self.findings if it.verdict in (Verdict.GROWS, Verdict.ABOVE)]
        odd = [
            f"{count} rows {name}" for name, count in self.outcomes.items() if not name.startswith(EXPECTED_OUTCOMES)
        ]
        return grown + odd + ([f"{self.open_rows} rows have not ended"] if self.open_rows else [])


async def soak(bed: Bed, seconds: float, rows_per_second: float) -> Soaked:
    """Write and watch for so long, judge, plot, and see that every row ends."""
    load = Load(bed.system, "soak", 1, rows_per_second=rows_per_second)
    samples = Samples()
    pruning = asyncio.create_task(bed.prune_for_good())
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(load.write_for(seconds))
            both.create_task(samples.take_for(bed, seconds))
        await rules.pause(bed.system, *bed.rule_ids)
        findings = find(samples.points, warm_up_seconds=seconds * WARM_UP_SHARE)
        plot.draw(samples.points, findings, warm_up_seconds=seconds * WARM_UP_SHARE, file=PLOT)
        open_rows = await _settle(bed, pruning)
    finally:
        pruning.cancel()
    return Soaked(findings, dict(load.written), dict(bed.outcomes), open_rows)


async def _settle(bed: Bed, pruning: asyncio.Task[None]) -> int:
    """How many rows are open in the end."""
    deadline = asyncio.get_running_loop().time() + SETTLED_WITHIN_SECONDS
    while open_rows := await bed.open_rows():
        if asyncio.get_running_loop().time() > deadline:
            break
        if pruning.done():
            pruning.result()
        await asyncio.sleep(1)
    return open_rows


def _tell(soaked: Soaked, minutes: float, rows_per_second: float) -> None:
    about: dict[str, Any] = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": minutes,
        "rows_per_second": rows_per_second,
        "processors": os.cpu_count(),
        "load_average": [round(each, 1) for each in os.getloadavg()],
        "written": soaked.written,
        "outcomes": soaked.outcomes,
        "open_rows": soaked.open_rows,
        "faults": soaked.faults,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({**about, "series": [asdict(it) for it in soaked.findings]}, indent=1) + "\n")
    table = Table(title=f"After {minutes:g} minutes; growth a day, and its limits at 99 %")
    for heading in ("", "first", "last", "highest", "a day", "at least", "at most", "allowed", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for it in soaked.findings:
        numbers = (it.first, it.last, it.highest, it.a_day, it.a_day_low, it.a_day_high, it.allowed)
        name = f"{it.name}, {it.unit}" if it.unit else it.name
        table.add_row(name, *map(_short, numbers), it.verdict)
    console = Console(width=160)
    console.print(table)
    for fault in soaked.faults:
        console.print(fault)


def _short(number: float) -> str:
    return f"{number:,.3g}" if abs(number) < 100 else f"{number:,.0f}"


async def _run(minutes: float, rows_per_second: float, leaks: str) -> Soaked:
    with tempfile.TemporaryDirectory(prefix="xnovu-soak-", ignore_cleanup_errors=True) as directory:
        async with running_bed(Path(directory), leaks) as bed:
            return await soak(bed, minutes * 60, rows_per_second)


def main() -> int:
    """How long, how much and what is to leak, from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rows-per-second", type=float, default=ROWS_PER_SECOND)
    parser.add_argument("--leaks", default="none", help=f"planted, by commas: {', '.join(ALL_LEAKS)}")
    options = parser.parse_args()
    if unknown := set(options.leaks.split(",")) - {*ALL_LEAKS, "none"}:
        parser.error(f"--leaks {','.join(unknown)}: unknown; there are {', '.join(ALL_LEAKS)}, none")
    if options.minutes < LEAST_MINUTES:
        parser.error(f"--minutes {options.minutes:g}: too short to tell; at least {LEAST_MINUTES:g}")
    soaked = asyncio.run(_run(options.minutes, options.rows_per_second, options.leaks))
    _tell(soaked, options.minutes, options.rows_per_second)
    return 1 if soaked.faults else 0


if __name__ == "__main__":
    sys.exit(main())
