"""Hears of frames that the library cannot read, which it logs, whole, and then drops."""

import logging
from collections.abc import Callable
from contextvars import ContextVar

on_unreadable_frame: ContextVar[Callable[[], None]] = ContextVar("on_unreadable_frame")
"""Set before a client connects: its reader task inherits the value, so each socket hears of its own frames."""

_LIBRARY_LOGGERS = ("realtime._async.client", "realtime._async.channel")


def install() -> None:
    """Listen in on the library's log; installing twice is harmless."""
    for name in _LIBRARY_LOGGERS:
        logging.getLogger(name).addFilter(_hear)


def _hear(record: logging.LogRecord) -> bool:
    """Keep the library's own errors out of the log: frames are quoted in them, and the rest we log ourselves."""
    if record.levelno < logging.ERROR:
        return True
    if record.getMessage().startswith("Unrecognized message format"):
        report = on_unreadable_frame.get(None)
        if report is not None:
            report()
    return False
