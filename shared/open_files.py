"""How many files and connections a process may have open, and what is logged when that is not enough."""

import logging
import resource
import time

MOST_NEEDED = 65_536
"""More is of no use to any process of ours."""

_SAME_FAULT_AGAIN_AFTER_SECONDS = 60.0


def allow_as_many_as_possible() -> None:
    """Raise the soft limit as far as the hard one allows.

    Shells and service managers give 1,024, or 256, where the kernel would give a thousand times as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_NEEDED if hard == resource.RLIM_INFINITY else min(hard, MOST_NEEDED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit() -> int:
    """What the soft limit is."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_NEEDED if soft == resource.RLIM_INFINITY else soft


def log_refused_connections_once_a_minute() -> None:
    """When no descriptor is left asyncio logs each connection that it could not take, thousands a second."""
    logging.getLogger("asyncio").addFilter(_OnceAMinute("socket.accept() out of system resource"))


class _OnceAMinute(logging.Filter):
    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning
        self._silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith(self._beginning):
            return True
        now = time.monotonic()
        if now < self._silent_until:
            return False
        self._silent_until = now + _SAME_FAULT_AGAIN_AFTER_SECONDS
        return True
