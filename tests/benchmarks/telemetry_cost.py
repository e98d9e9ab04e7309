"""What telemetry costs: bursts with it sent to a receiver on this machine, against bursts without, taking turns."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks import burst
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.system import ENTERPRISES, System
from tests.otlp.receiver import receiving

TURNS = (False, True, True, False, False, True, True, False)
"""Whether it is on: in an order in which neither gains by a machine, or a table, that grows slower."""

WARM_UP_ROWS = 500
ROWS = 15_000
EXPORT_INTERVAL_MS = 5_000
"""Twelve times as often as by default, so that a burst sees some."""


@dataclass(frozen=True)
class TelemetryCost:
    """Throughput lost, and processor time added to that of listener and worker, in percent; requests received.

    Processor time is the steadier figure where others use the machine, too.
    """

    throughput_percent: float
    cpu_percent: float
    requests: int


@dataclass(frozen=True)
class _Turn:
    rows_per_second: float
    cpu_seconds: float


async def measure(system: System) -> TelemetryCost:
    """Restart listener and worker for every turn, and measure a burst; the best turns are compared, because whatever
    else the machine does only takes away.
    """
    turns: dict[bool, list[_Turn]] = {False: [], True: []}
    async with receiving(keep=False) as receiver:
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": str(EXPORT_INTERVAL_MS)}
        for is_on in TURNS:
            await _restart(system, on if is_on else {})
            turns[is_on].append(await _take_turn(system))
        await _restart(system, {})
    if not receiver.requests:
        raise RuntimeError("no telemetry was received: what was measured is nothing")
    throughput = {is_on: max(turn.rows_per_second for turn in taken) for is_on, taken in turns.items()}
    cpu = {is_on: min(turn.cpu_seconds for turn in taken) for is_on, taken in turns.items()}
    return TelemetryCost(
        throughput_percent=100 * (1 - throughput[True] / throughput[False]),
        cpu_percent=100 * (cpu[True] / cpu[False] - 1),
        requests=receiver.requests,
    )


async def _restart(system: System, telemetry: Mapping[str, str]) -> None:
    environment = {**system.stack.environment, "DAEMON_ENTERPRISE_IDS": ",".join(ENTERPRISES), **telemetry}
    for process, module in ((system.listener, "listener"), (system.worker, "worker")):
        await process.stop(within_seconds=15)
        await process.start([sys.executable, "-m", module], environment)


async def _take_turn(system: System) -> _Turn:
    await burst.measure(system, WARM_UP_ROWS)
    before = cpu_seconds(system)
    measured = await burst.measure(system, ROWS)
    return _Turn(measured.rows_per_second, cpu_seconds(system) - before)
