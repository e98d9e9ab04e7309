"""`make bench-time`: what waiting costs and how late time runs, to the terminal and to build/bench_time.json.

XNOVU_IDLE_MINUTES is the length of the idle window, ten if not given; counts of a shorter one are scaled to ten.
"""

import asyncio
import json
import tempfile
from pathlib import Path

from tests.benchmarks import time_bursts, time_idle
from tests.benchmarks.system import running_system
from tests.benchmarks.table import Line, show
from tests.benchmarks.time_idle import Idle

OUTPUT = Path("build/bench_time.json")
ASKED_FOR_MINUTES = 10.0
TEN_ENTERPRISES = tuple(f"enterprise-{number}" for number in range(10))

LINES = (
    Line("idle_window_minutes"),
    Line("idle_temporal_actions_in_10_minutes"),
    Line("idle_sql_statements_in_10_minutes"),
    Line("idle_requests_in_10_minutes"),
    Line("idle_temporal_actions_per_enterprise_minute", 1),
    Line("idle_sql_statements_per_enterprise_minute", 1),
    Line("idle_cpu_percent_daemon"),
    Line("idle_rss_mb_daemon"),
    Line("scheduled_rows"),
    Line("scheduled_late_p50_s"),
    Line("scheduled_late_p95_s"),
    Line("scheduled_late_last_s", 1),
    Line("scheduled_not_once", 0),
    Line("rules_at_one_instant"),
    Line("rules_last_written_s", 10),
    Line("rules_last_delivered_s", 10),
    Line("rules_not_once", 0),
    Line("scheduled_burst_rows"),
    Line("scheduled_burst_last_s"),
    Line("scheduled_burst_not_once", 0),
)


def idle_figures(idle: Idle) -> dict[str, float]:
    """Counts for ten minutes, as measured or scaled to it; the file has the requests by path, too."""
    scale = ASKED_FOR_MINUTES / idle.minutes
    return {
        "idle_window_minutes": round(idle.minutes, 2),
        "idle_temporal_actions_in_10_minutes": round(idle.temporal_actions * scale, 1),
        "idle_sql_statements_in_10_minutes": round(idle.sql_statements * scale, 1),
        "idle_requests_in_10_minutes": round(idle.requests.total() * scale, 1),
        **{
            f"idle_requests_in_10_minutes {path}": round(count * scale, 1)
            for path, count in idle.requests.most_common()
        },
        "idle_temporal_actions_per_enterprise_minute": round(idle.per_enterprise_and_minute(idle.temporal_actions), 4),
        "idle_sql_statements_per_enterprise_minute": round(idle.per_enterprise_and_minute(idle.sql_statements), 4),
        "idle_cpu_percent_daemon": round(100 * idle.cpu_seconds / (60 * idle.minutes), 2),
        "idle_rss_mb_daemon": round(idle.resident_bytes / 2**20, 1),
    }


async def burst_figures(directory: Path) -> dict[str, float]:
    """The flood comes last: Realtime says nothing for a minute after it."""
    async with running_system(directory, TEN_ENTERPRISES) as system:
        spread = await time_bursts.spread(system)
        rules = await time_bursts.rules(system)
        burst = await time_bursts.burst(system)
    return {
        "scheduled_rows": spread.count,
        "scheduled_late_p50_s": round(spread.p50, 3),
        "scheduled_late_p95_s": round(spread.p95, 3),
        "scheduled_late_last_s": round(spread.last, 3),
        "scheduled_not_once": spread.not_once,
        "rules_at_one_instant": rules.delivered.count,
        "rules_last_written_s": round(rules.last_written, 3),
        "rules_last_delivered_s": round(rules.delivered.last, 3),
        "rules_not_once": rules.delivered.not_once,
        "scheduled_burst_rows": burst.count,
        "scheduled_burst_last_s": round(burst.last, 3),
        "scheduled_burst_not_once": burst.not_once,
    }


async def measure() -> dict[str, float]:
    """Both systems, one after the other."""
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        bursts = await burst_figures(Path(directory) / "bursts")
        idle = await time_idle.measure(Path(directory) / "idle")
    return idle_figures(idle) | bursts


def main() -> None:
    """Measure once; to the file and the terminal."""
    figures = asyncio.run(measure())
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    minutes = figures["idle_window_minutes"]
    scaled = "" if minutes >= ASKED_FOR_MINUTES else f"; counts scaled from {minutes:g} minutes to ten"
    show(f"Time: 200 enterprises x 20 rules idle, then bursts{scaled}", figures, LINES)


if __name__ == "__main__":
    main()
