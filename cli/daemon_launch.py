"""Starting the daemon in the background, and ending it: what start, stop and restart share."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import httpx
import psutil

from cli.daemon_record import DaemonBook, DaemonRecord, StartOptions, process_of

LOOK_EVERY_SECONDS = 0.1
LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 64 * 1024

LOOKS_AT_A_WRONG_RECORD = 3
"""One that was there before a daemon that just starts is gone by then."""


class Outcome(StrEnum):
    """How an attempt to start or stop ended. TIMEOUT: it goes on, and we look no longer. UNKNOWN: one runs,
    and its record does not say which process it is.
    """

    STARTED = "started"
    ALREADY_RUNNING = "already_running"
    STOPPED = "stopped"
    ALREADY_STOPPED = "already_stopped"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Launch:
    """`exit_code` and `last_words` (of its log) are there if it ended instead of becoming ready."""

    outcome: Outcome
    record: DaemonRecord | None = None
    exit_code: int | None = None
    last_words: str = ""


def launch(book: DaemonBook, options: StartOptions, *, timeout_seconds: float) -> Launch:
    """Start the daemon in a session of its own, its output added to the book's log, and wait until it is ready."""
    running = book.running()
    if running is not None:
        return Launch(Outcome.ALREADY_RUNNING, running)
    command = [sys.executable, "-m", "cli", "daemon", "start", "--foreground", *options.arguments()]
    log = book.open_log()
    try:
        begins_at = os.fstat(log).st_size
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        code = daemon.poll()
        record = book.running()
        if code is not None and record is not None:  # another one was faster
            return Launch(Outcome.ALREADY_RUNNING, record)
        if code is not None:
            return Launch(Outcome.FAILED, exit_code=code, last_words=_tail(book, begins_at))
        if record is not None and is_ready(record):
            return Launch(Outcome.STARTED, record)
        time.sleep(LOOK_EVERY_SECONDS)
    return Launch(Outcome.TIMEOUT, book.running(), last_words=_tail(book, begins_at))


def stop(book: DaemonBook, *, timeout_seconds: float) -> Outcome:
    """Have the recorded daemon drain, and wait until it is gone. Nothing else is ever signalled."""
    record = book.running()
    if record is None and not book.is_held():
        book.forget()
        return Outcome.ALREADY_STOPPED
    deadline = time.monotonic() + timeout_seconds
    asked = False
    wrong_records = 0
    # The lock goes before the port does, in the last moments of a process.
    while book.is_held() or (record is not None and process_of(record) is not None):
        record = record or book.running()  # one that is just starting writes its record in a moment
        if record is not None and not asked:
            _terminate(record)
            asked = True
        wrong_records += record is None and book.has_record()
        if wrong_records >= LOOKS_AT_A_WRONG_RECORD:
            return Outcome.UNKNOWN
        if time.monotonic() > deadline:
            return Outcome.TIMEOUT
        time.sleep(LOOK_EVERY_SECONDS)
    book.forget()
    return Outcome.STOPPED


def is_ready(record: DaemonRecord) -> bool:
    """Whether it says so itself."""
    try:
        return httpx.get(f"{record.health_url}/readyz", timeout=2.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _terminate(record: DaemonRecord) -> None:
    """psutil, too, refuses to signal a process that has taken another's id."""
    process = process_of(record)
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def _tail(book: DaemonBook, begins_at: int) -> str:
    """The end of what this daemon has written."""
    with os.fdopen(book.open_log(), "rb") as log:
        size = os.fstat(log.fileno()).st_size
        begins_at = begins_at if begins_at <= size else 0  # it was begun anew meanwhile
        log.seek(max(begins_at, size - LOG_TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])
