"""Who has a stack's directory: one stack at a time, and whoever removes it."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.processes import PartFailed

LOCK = "stack.lock"

_ENDS_WITHIN_SECONDS = 20.0
"""A stack whose daemon was killed stops its servers in order."""


@contextmanager
def occupied(directory: Path) -> Iterator[None]:
    """The directory, made where missing, is the caller's for as long as the block lasts; the kernel ends it with us.

    Blocks while a former stack ends. Raises PartFailed if it does not.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _ENDS_WITHIN_SECONDS
        while not _is_taken(lock):
            if time.monotonic() > deadline:
                raise PartFailed(f"the stack cannot start: another one runs in {directory}")
            time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def remove(directory: Path) -> None:
    """Remove the directory and all that a stack has left in it; harmless if there is none. Raises PartFailed."""
    if not directory.is_dir():
        return
    with occupied(directory):
        shutil.rmtree(directory)


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
