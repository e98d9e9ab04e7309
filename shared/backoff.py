"""How long to wait before the next attempt."""

import random
import time
from collections.abc import Callable

CAP_SECONDS = 30.0


class Backoff:
    """Exponential with full jitter, capped, for attempts that never end.

    Tenacity counts the attempts of one call; here they count until service has been steady, across many calls:
    something that works for a moment each time is not tried at full speed for ever.
    """

    def __init__(
        self,
        first_seconds: float,
        *,
        cap_seconds: float = CAP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self._clock = clock
        self._works_since: float | None = None
        self.failures = 0

    def works(self) -> None:
        """The attempt succeeded, for now; once it has for as long as the cap, earlier failures no longer count."""
        self._works_since = self._clock()

    def proven(self) -> None:
        """What is attempted was seen to do its work: earlier failures no longer count, however soon the next comes."""
        self.failures = 0

    def next_seconds(self, *, at_least: float = 0.0) -> float:
        """Count a failure and say how long to wait; never less than `at_least`, which is spread out too."""
        if self._works_since is not None and self._clock() - self._works_since >= self._cap_seconds:
            self.failures = 0
        self._works_since = None
        self.failures += 1
        exponent = min(self.failures - 1, 32)  # beyond any cap; keeps the power a finite float
        ceiling = min(self._cap_seconds, self._first_seconds * 2**exponent)
        return at_least + random.uniform(0.0, ceiling)
