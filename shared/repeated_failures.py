"""Failures that are alike, such as those of an outage, are a few lines a minute and a count, not a traceback each."""

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.exception_text import describe, place
from shared.log_text import message_of

TOLD_A_MINUTE = 3
"""Lines of each kind of failure; of the others, how many there were."""

PERIOD_SECONDS = 60.0

MOST_KINDS = 200
"""That are remembered; beyond, the one that began the longest ago is told and forgotten."""

_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class _Kind:
    """What the first of them said, since when, and how many were told and not. Not the exception: it holds on to all
    that its frames know.
    """

    of: str
    level: int
    event: str
    error: str
    since: float
    told: int = 0
    untold: int = 0


class FewOfEachKind(logging.Filter):
    """Belongs on a handler. Alike are failures of one logger, event, type of exception and place; in their texts,
    numbers are not looked at: they are ids and counts. What is left out is told as `failures_repeated` once the minute
    is over, as soon as anything is logged.
    """

    def __init__(
        self, tell: Callable[[logging.LogRecord], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`tell` takes the line that sums up: the handler's own `handle`."""
        super().__init__()
        self._tell = tell
        self._clock = clock
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._lock = threading.RLock()  # a summary comes by here, too

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is told by itself."""
        with self._lock:
            return self._is_told(record)

    def sum_up(self) -> None:
        """At the end of a process: nothing is left untold."""
        with self._lock:
            self._sum_up_those_before(float("inf"))

    def _is_told(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        self._sum_up_those_before(now - PERIOD_SECONDS)
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        event, told = message_of(record), describe(error)
        alike = (record.name, record.levelno, _NUMBER.sub("", event), _NUMBER.sub("", told), place(error.__traceback__))
        kind = self._kinds.get(alike)
        if kind is None:
            if len(self._kinds) >= MOST_KINDS:
                self._sum_up_kind(next(iter(self._kinds)))
            kind = self._kinds[alike] = _Kind(record.name, record.levelno, event, told, now)
        if kind.told < TOLD_A_MINUTE:
            kind.told += 1
            return True
        kind.untold += 1
        return False

    def _sum_up_those_before(self, instant: float) -> None:
        # In the order in which they began, so that as a rule one look is enough.
        while self._kinds:
            oldest = next(iter(self._kinds))
            if self._kinds[oldest].since > instant:
                return
            self._sum_up_kind(oldest)

    def _sum_up_kind(self, alike: tuple[object, ...]) -> None:
        kind = self._kinds.pop(alike)
        if not kind.untold:
            return
        summary = logging.LogRecord("Process", kind.level, "", 0, "failures_repeated", (), None)
        summary.__dict__.update(
            of=kind.of,
            repeated=kind.event,
            error=kind.error,
            times=kind.untold,
            within_seconds=round(self._clock() - kind.since),
        )
        self._tell(summary)
