"""Memory and processor time of this process and of its children (the renderer is one)."""

from collections.abc import Iterator

import psutil
from opentelemetry.metrics import Observation

from shared.telemetry.metric import Kind, Metric, observe

PART = "xnovu.process.part"

MEMORY = Metric(
    "process.memory.usage",
    Kind.GAUGE,
    "By",
    "Resident memory, of the process itself (`own`) and of its children together (`children`).",
    (PART,),
)
CPU_TIME = Metric(
    "process.cpu.time",
    Kind.COUNTER,
    "s",
    "Processor time used by the process itself, in user and in system mode.",
    ("cpu.mode",),
)
METRICS = (MEMORY, CPU_TIME)


def observe_process() -> None:
    """Have this process measured whenever metrics are collected."""
    process = psutil.Process()
    observe(MEMORY, lambda: _memory(process))
    observe(CPU_TIME, lambda: _cpu_time(process))


def _memory(process: psutil.Process) -> Iterator[Observation]:
    yield Observation(process.memory_info().rss, {PART: "own"})
    yield Observation(sum(map(_resident_bytes, process.children(recursive=True))), {PART: "children"})


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _cpu_time(process: psutil.Process) -> Iterator[Observation]:
    times = process.cpu_times()
    yield Observation(times.user, {"cpu.mode": "user"})
    yield Observation(times.system, {"cpu.mode": "system"})
