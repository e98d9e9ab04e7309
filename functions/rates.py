"""How often a caller may call: a bucket of tokens for each, filled steadily. Of this process; others have their own."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from functions.problems import Problem, ProblemCode

MOST_BUCKETS = 10_000
"""Then those that are full are forgotten: they say no more than that their caller has not called for a while."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """A burst of so many calls at once, and so many a second thereafter; 0 a second is without bounds."""

    def __init__(self, per_second: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, caller: str) -> None:
        """One call of this caller. Raises Problem `rate_limited`, which says when to come back."""
        if not self._per_second:
            return
        bucket = self._filled(caller)
        if bucket.tokens < 1:
            seconds = math.ceil((1 - bucket.tokens) / self._per_second)
            raise Problem(
                ProblemCode.RATE_LIMITED,
                f"more than {self._per_second:g} calls a second, after a burst of {self._burst}; nothing was changed",
                headers={"Retry-After": str(seconds)},
            )
        bucket.tokens -= 1

    def _filled(self, caller: str) -> _Bucket:
        now = self._clock()
        if caller not in self._buckets and len(self._buckets) >= MOST_BUCKETS:
            self._buckets = {name: it for name, it in self._buckets.items() if self._tokens(it, now) < self._burst}
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        bucket.tokens, bucket.filled_at = self._tokens(bucket, now), now
        return bucket

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
