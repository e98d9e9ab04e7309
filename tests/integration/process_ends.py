"""Whether processes have ended."""

import time
from collections.abc import Iterable

import psutil

_INTERVAL_SECONDS = 0.02


def assert_gone(processes: Iterable[psutil.Process], within_seconds: float = 60) -> None:
    """Each has ended in time. One that its new parent has not waited for yet (a zombie) has ended."""
    deadline = time.monotonic() + within_seconds
    alive = [process for process in processes if _is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(_INTERVAL_SECONDS)
        alive = [process for process in alive if _is_alive(process)]
    assert alive == []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
