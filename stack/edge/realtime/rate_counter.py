"""The real server's rate limits: an average over the last minute, looked at every five seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_BUCKETS = 12


class RateCounter:
    """Counts into buckets of some seconds. `tripped` is true while the average of the finished ones exceeds the limit.

    A burst therefore passes whole, and what follows it is refused for up to a minute.
    """

    def __init__(self, limit_per_second: float, bucket_seconds: float, clock: Callable[[], float]) -> None:
        self._limit_per_second = limit_per_second
        self._bucket_seconds = bucket_seconds
        self._clock = clock
        self._finished: deque[int] = deque(maxlen=_BUCKETS)
        self._current = 0
        self._current_since = clock()

    def add(self, count: int = 1) -> None:
        self._finish_buckets()
        self._current += count

    @property
    def tripped(self) -> bool:
        self._finish_buckets()
        return sum(self._finished) > self._limit_per_second * self._bucket_seconds * max(1, len(self._finished))

    def _finish_buckets(self) -> None:
        elapsed = int((self._clock() - self._current_since) // self._bucket_seconds)
        for _ in range(min(elapsed, _BUCKETS + 1)):
            self._finished.append(self._current)
            self._current = 0
        self._current_since += elapsed * self._bucket_seconds
