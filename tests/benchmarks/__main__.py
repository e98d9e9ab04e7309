"""`make bench`: figures on real load, to the terminal and to build/bench.json."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from shared.temporal.names import notification_processing_id
from tests.benchmarks import burst, ceiling, http_requests, single, telemetry_cost, temporal_cost, trace
from tests.benchmarks.memory import peak_megabytes
from tests.benchmarks.processes import cpu_seconds, log_bytes, pid
from tests.benchmarks.system import System, running_system
from tests.benchmarks.table import Line, show

OUTPUT = Path("build/bench.json")
FEED_INTERVAL_MS = 500
"""The edge's idle poll, as the real server's (its default: EDGE_IDLE_POLL_INTERVAL_MS)."""

WARM_UP_ROWS = 300


async def measure(system: System) -> dict[str, float]:
    """Every figure, by its name in the JSON. What came when, and for how long, goes to build/trace.json."""
    await burst.measure(system, WARM_UP_ROWS)
    limit = await ceiling.measure(system.temporal, system.stack.environment)
    batch = await http_requests.measure(system)
    cpu_before = cpu_seconds(system)
    traced_since = datetime.now(UTC)
    one = await single.measure(system)
    cpu_ms_single = 1000 * (cpu_seconds(system) - cpu_before) / len(one.notification_ids)
    cpu_before, log_before = cpu_seconds(system), log_bytes(system)
    many = await burst.measure_several(system)
    cpu_ms_per_row = 1000 * (cpu_seconds(system) - cpu_before) / many.rows
    log_bytes_per_row = (log_bytes(system) - log_before) / many.rows
    trace.write(await trace.record(system.temporal, traced_since))
    first = system.enterprises[0].enterprise_id
    single_cost = await temporal_cost.of_workflow(
        system.temporal, notification_processing_id(first, [one.notification_ids[0]])
    )
    batch_cost = await temporal_cost.of_workflow(
        system.temporal, notification_processing_id(first, batch.notification_ids)
    )
    listener_megabytes = peak_megabytes(pid(system.listener))
    worker_megabytes = peak_megabytes(pid(system.worker))
    telemetry = await telemetry_cost.measure(system)
    return {
        "burst_rows": many.rows,
        "burst_rows_per_s": round(many.rows_per_second, 1),
        "lost": many.lost,
        "duplicates": many.duplicates,
        "wrong_status": many.wrong_status,
        "single_p50_ms": round(one.p50_ms, 1),
        "single_p95_ms": round(one.p95_ms, 1),
        "ceiling_p50_ms": round(limit.p50_ms, 1),
        "ceiling_per_s": round(limit.per_second, 1),
        "feed_interval_ms": FEED_INTERVAL_MS,
        "actions_single": single_cost.actions,
        "actions_per_row_batched": batch_cost.actions / len(batch.notification_ids),
        "events_single": single_cost.events,
        "events_per_row_batched": batch_cost.events / len(batch.notification_ids),
        "http_per_batch_100": batch.http_requests,
        "rss_mb_listener": round(listener_megabytes, 1),
        "rss_mb_worker": round(worker_megabytes, 1),
        "cpu_ms_single": round(cpu_ms_single, 3),
        "cpu_ms_per_row": round(cpu_ms_per_row, 3),
        "log_bytes_per_row": round(log_bytes_per_row, 1),
        "telemetry_throughput_percent": round(telemetry.throughput_percent, 1),
        "telemetry_cpu_percent": round(telemetry.cpu_percent, 1),
    }


def lines(figures: Mapping[str, float]) -> list[Line]:
    """The table's lines; limits in relation to what the same run measured where they are meant so."""
    return [
        Line("burst_rows"),
        Line("burst_rows_per_s", 1_000, at_least=True),
        Line("lost", 0),
        Line("duplicates", 0),
        Line("wrong_status", 0),
        Line("single_p50_ms", 1.5 * figures["ceiling_p50_ms"] + figures["feed_interval_ms"]),
        Line("single_p95_ms"),
        Line("ceiling_p50_ms"),
        Line("ceiling_per_s"),
        Line("feed_interval_ms"),
        Line("actions_single", 3),
        Line("actions_per_row_batched", 0.06),
        Line("events_single"),
        Line("events_per_row_batched"),
        Line("http_per_batch_100", 4),
        Line("rss_mb_listener"),
        Line("rss_mb_worker", 300 - figures["rss_mb_listener"]),
        Line("cpu_ms_single"),
        Line("cpu_ms_per_row"),
        Line("log_bytes_per_row"),
        Line("telemetry_throughput_percent", 5),
        Line("telemetry_cpu_percent"),
    ]


async def measure_everything() -> dict[str, float]:
    """Start the system, measure, stop it."""
    with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
        async with running_system(Path(directory)) as system:
            figures = await measure(system)
    return figures


def main() -> None:
    """Measure once; to the file and the terminal."""
    figures = asyncio.run(measure_everything())
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    show("Benchmark: two cores, every server on the same machine", figures, lines(figures))


if __name__ == "__main__":
    main()
