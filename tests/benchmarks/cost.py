"""`python -m tests.benchmarks.cost`: what a deployment costs, by the figures of build/bench.json, as a Markdown table.

Prices are the lists of Cloud Run, Google Cloud's observability, Cloud Scheduler, Temporal Cloud, Supabase and Novu of
November 2026, in US dollars, us-central1; free allotments are left out. Nothing here asks anybody: change a price here
and print the table again.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOURS_PER_MONTH = 730
MILLION = 1_000_000

POOL_VCPU_SECOND = 0.000011244
POOL_GIB_SECOND = 0.000001235
TEMPORAL_PER_MILLION_ACTIONS = 50.0
REALTIME_PER_MILLION_MESSAGES = 2.50
LOGS_PER_GIB = 0.50
TRACES_PER_MILLION_SPANS = 0.20
METRICS_PER_MILLION_SAMPLES = 0.06
SCHEDULER_JOB = 0.10
NOVU_CLOUD_PER_MILLION_RUNS = 1200.0

SPANS_OF_A_BATCH = 13
"""From the hand-over to the end of the workflow, as docs/metrics.md lists them."""
TRACES_KEPT = 0.1
CPU_USED = 0.5
"""Of the processor time paid for, how much is worked in."""
LISTENER_GIB = 0.5
WORKER_GIB = 1.0
METRIC_SERIES = 200
SAMPLES_PER_SERIES = HOURS_PER_MONTH * 60


@dataclass(frozen=True)
class Cost:
    """Dollars a month when nothing is sent, and beyond it dollars per million notifications, by what costs them."""

    idle: Mapping[str, float]
    per_million_single: Mapping[str, float]
    per_million_batched: Mapping[str, float]


def cost(figures: Mapping[str, float]) -> Cost:
    """By what `make bench` measured."""
    month_seconds = HOURS_PER_MONTH * 3600
    idle = {
        "listener": month_seconds * (POOL_VCPU_SECOND + LISTENER_GIB * POOL_GIB_SECOND),
        "one worker": month_seconds * (POOL_VCPU_SECOND + WORKER_GIB * POOL_GIB_SECOND),
        "autoscaler's Cloud Scheduler job": SCHEDULER_JOB,
        "metrics": METRIC_SERIES * 2 * SAMPLES_PER_SERIES / MILLION * METRICS_PER_MILLION_SAMPLES,
    }
    return Cost(
        idle,
        _per_million(figures, actions=figures["actions_single"], cpu_ms=figures["cpu_ms_single"], rows_in_a_batch=1),
        _per_million(
            figures,
            actions=figures["actions_per_row_batched"],
            cpu_ms=figures["cpu_ms_per_row"],
            rows_in_a_batch=100,
        ),
    )


def table(figures: Mapping[str, float]) -> str:
    """In Markdown."""
    spent = cost(figures)
    lines = ["| per month, nothing sent | $ |", "|---|--:|"]
    lines += [f"| {name} | {dollars:.2f} |" for name, dollars in spent.idle.items()]
    lines += [f"| **sum** | **{sum(spent.idle.values()):.2f}** |", ""]
    lines += ["| per million notifications, beyond that | one by one | in batches of 100 |", "|---|--:|--:|"]
    lines += [
        f"| {name} | {dollars:.2f} | {spent.per_million_batched[name]:.2f} |"
        for name, dollars in spent.per_million_single.items()
    ]
    single, batched = sum(spent.per_million_single.values()), sum(spent.per_million_batched.values())
    lines.append(f"| **sum without Novu** | **{single:.2f}** | **{batched:.2f}** |")
    lines.append(
        f"| Novu Cloud, beyond a plan | {NOVU_CLOUD_PER_MILLION_RUNS:.2f} | {NOVU_CLOUD_PER_MILLION_RUNS:.2f} |"
    )
    return "\n".join(lines)


def _per_million(
    figures: Mapping[str, float], *, actions: float, cpu_ms: float, rows_in_a_batch: int
) -> dict[str, float]:
    pool_second = POOL_VCPU_SECOND + WORKER_GIB * POOL_GIB_SECOND
    return {
        "Temporal Cloud actions": actions * TEMPORAL_PER_MILLION_ACTIONS,
        "Supabase Realtime messages": REALTIME_PER_MILLION_MESSAGES,
        "processor time of listener and workers": MILLION * cpu_ms / 1000 / CPU_USED * pool_second,
        "logs": MILLION * figures["log_bytes_per_row"] / 2**30 * LOGS_PER_GIB,
        "traces, one in ten kept": SPANS_OF_A_BATCH / rows_in_a_batch * TRACES_KEPT * TRACES_PER_MILLION_SPANS,
    }


def main() -> None:
    """Print the table; the file with the figures may be named."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench.json")
    print(table(json.loads(path.read_text())))  # noqa: T201


if __name__ == "__main__":
    main()
