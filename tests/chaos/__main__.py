"""`make chaos SEED=n MINUTES=m`: everything breaks at random while thousands of rows are written; who got what?

Writes build/chaos.json. Exit code 1 if anything is lost, twice, wrong, early or late.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos import report
from tests.chaos.bed import running_bed
from tests.chaos.run import Outcome, run_seed

ENTERPRISES = tuple(f"chaos-{number}" for number in range(200))
ROWS_PER_SECOND = 60.0
LEASE_SECONDS = 20
"""Longer than in the short seeds: 200 enterprises share their batches, and two processors."""
RULES = 10
RESULT = Path("build/chaos.json")


async def _run(seeds: list[int], minutes: float, rows_per_second: float) -> list[Outcome]:
    """Each seed on a stack of its own; Novu heeds the Idempotency-Key for every other one."""
    outcomes = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="xnovu-chaos-", ignore_cleanup_errors=True) as directory:
            async with running_bed(
                Path(directory), ENTERPRISES, heeds_idempotency=seed % 2 == 0, lease_seconds=LEASE_SECONDS
            ) as bed:
                outcomes.append(
                    await run_seed(bed, seed, seconds=minutes * 60, rows_per_second=rows_per_second, rules=RULES)
                )
        _tell(outcomes)
    return outcomes


def _tell(outcomes: list[Outcome]) -> None:
    """After each seed, lest the last one take all with it."""
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report.as_json(outcomes), indent=1) + "\n", encoding="utf-8")
    sys.stdout.writelines(f"{line}\n" for line in report.as_text(outcomes[-1:]))
    sys.stdout.flush()


def main() -> int:
    """Seeds and minutes from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", default="1", help="one, or several with commas")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long each seed writes and strikes")
    parser.add_argument("--rows-per-second", type=float, default=ROWS_PER_SECOND, help="how much is written")
    options = parser.parse_args()
    outcomes = asyncio.run(
        _run([int(seed) for seed in options.seeds.split(",")], options.minutes, options.rows_per_second)
    )
    if len(outcomes) > 1:
        sys.stdout.writelines(f"{line}\n" for line in report.as_text(outcomes))
    return 1 if any(one.faults for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
