"""This process as health shows it: which build, since when, how much memory and CPU."""

import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from shared.health.observations import ProcessObservation

MEASURED_AT_MOST_EVERY_SECONDS = 1.0
"""CPU over a shorter time is noise."""


class ProcessUsage:
    """Measures this process and its children (the renderers are some)."""

    def __init__(self, build: str) -> None:
        """`build` names what was deployed; CPU is measured from here on, between one observation and the next."""
        self._process = psutil.Process()
        self._about = {"host": socket.gethostname(), "version": version("xnovu"), "build": build}
        self._started_at = datetime.fromtimestamp(self._process.create_time(), UTC)
        self._measured: dict[int, psutil.Process] = {}
        self._latest = self._measure()

    def observe(self) -> ProcessObservation:
        """Now, or a second ago; older if the kernel tells nothing now. CPU is the mean since the observation before."""
        if time.monotonic() - self._measured_at >= MEASURED_AT_MOST_EVERY_SECONDS:
            with suppress(OSError):  # no descriptor is left to read /proc by
                self._latest = self._measure()
        return self._latest

    def _measure(self) -> ProcessObservation:
        self._measured_at = time.monotonic()
        memory_bytes, cpu_percent = 0, 0.0
        measured = {}
        for process in (self._process, *self._process.children(recursive=True)):
            known = self._measured.get(process.pid, process)  # psutil remembers the previous measurement in the object
            try:
                memory_bytes += known.memory_info().rss
                cpu_percent += known.cpu_percent()
            except psutil.NoSuchProcess:
                continue
            measured[known.pid] = known
        self._measured = measured
        return ProcessObservation(
            pid=os.getpid(),
            started_at=self._started_at,
            memory_bytes=memory_bytes,
            cpu_percent=round(cpu_percent, 1),
            **self._about,
        )
