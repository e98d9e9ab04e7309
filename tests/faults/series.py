"""Faults in a running process, one after another: whichever await is reached first meets one, and never again.

XNOVU_FAULT_SERIES names a file, to which each point is written as it meets its fault.
"""

import os
import signal
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.faults.await_points import PROJECT, AwaitPoint, await_points, modules_of
from tests.faults.injector import CANARY, Foreign

FIRST_SECONDS = 0.5
EVERY_SECONDS = 0.4
FAULTS = 30

MODULES = (
    "cli.health_server.serving",
    *modules_of("listener"),
    *(name for name in modules_of("worker") if not name.startswith("worker.workflows.")),
    "shared.health_monitor",
    "shared.http_server",
    *modules_of("shared.supabase", "shared.novu"),
    *(f"shared.temporal.{name}" for name in ("observation", "orchestration", "schedulers", "starters", "task_queues")),
)
"""Not the workflows: an exception in one fails its task, and Temporal runs that again (tests/workflows)."""


class Series:
    """Between two faults nothing is traced."""

    def __init__(self, points: list[AwaitPoint], told: Path) -> None:
        self._points: dict[tuple[str, str], list[AwaitPoint]] = {}
        for point in points:
            self._points.setdefault((str(PROJECT / point.file), point.function), []).append(point)
        self._told = told
        self._left = FAULTS
        self._armed = False

    def arm(self, *_: object) -> None:
        """A signal's handler, and so called in the main thread, in which the event loop is."""
        self._armed = True
        sys.settrace(self._on_call)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not self._armed or not self._points_in(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._on_instruction

    def _points_in(self, code: CodeType) -> list[AwaitPoint]:
        return self._points.get((code.co_filename, code.co_qualname), [])

    def _on_instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self._armed and event == "opcode":
            for point in self._points_in(frame.f_code):
                if frame.f_lasti in point.offsets:
                    self._fire(point, frame.f_code)
        return self._on_instruction

    def _fire(self, point: AwaitPoint, code: CodeType) -> None:
        self._points[(code.co_filename, code.co_qualname)].remove(point)
        self._armed = False
        self._left -= 1
        if not self._left:
            signal.setitimer(signal.ITIMER_REAL, 0)
        with self._told.open("a") as told:
            told.write(f"{point}\n")
        raise Foreign(CANARY)


def begin() -> None:
    """Arm at once, so that the start itself meets a fault, and then at intervals."""
    series = Series(await_points(*MODULES), Path(os.environ["XNOVU_FAULT_SERIES"]))
    signal.signal(signal.SIGALRM, series.arm)
    signal.setitimer(signal.ITIMER_REAL, FIRST_SECONDS, EVERY_SECONDS)
    series.arm()
