"""How soon something shows, on whatever else the machine does: time in line for a processor counts for nobody."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.e2e.system import eventually

MOST_IN_LINE = 2.0
"""Times the bound: a thing that is so much too late is not late because of the machine alone."""


async def promptly(check: Callable[[], Awaitable[bool]], *, within: float, what: str) -> float:
    """Ask until the answer is yes; returns after how many seconds. Fails with `what` after `within` seconds.

    More pass if threads of ours have stood in line for a processor meanwhile: of this process's and its descendants',
    which the stack and all that it serves are. Where nothing else runs that is next to nothing; it counts for
    `MOST_IN_LINE` times the bound at most.
    """
    began, in_line = time.monotonic(), _seconds_in_line()
    while True:
        now_in_line = _seconds_in_line()
        hindered_seconds = sum(max(0.0, seconds - in_line.get(each, 0.0)) for each, seconds in now_in_line.items())
        hindered_seconds = min(hindered_seconds, MOST_IN_LINE * within)
        left_seconds = within + hindered_seconds - (time.monotonic() - began)
        if left_seconds <= 0:
            raise AssertionError(f"not within {within:g} s and {hindered_seconds:.1f} s in line: {what}")
        with suppress(AssertionError):
            await eventually(check, within=left_seconds, what=what)
            return time.monotonic() - began


def _seconds_in_line() -> dict[int, float]:
    """By thread: how long it was ready to run, and did not (schedstat in /proc); of none where that is not told."""
    us = psutil.Process()
    seconds: dict[int, float] = {}
    for process in (us, *us.children(recursive=True)):
        for thread in Path("/proc", str(process.pid), "task").glob("[0-9]*"):
            with suppress(OSError, IndexError):  # it has just ended
                seconds[int(thread.name)] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return seconds
