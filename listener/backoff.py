"""How long to wait before the next attempt."""

import random

CAP_SECONDS = 30.0


class Backoff:
    """Exponential with full jitter, capped, for attempts that never end.

    Tenacity counts the attempts of one call; here they count until service has been steady, across many calls.
    """

    def __init__(self, first_seconds: float, *, cap_seconds: float = CAP_SECONDS) -> None:
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self.failures = 0

    def next_seconds(self, *, at_least: float = 0.0) -> float:
        """Count a failure and say how long to wait; never less than `at_least`, which is spread out too."""
        self.failures += 1
        exponent = min(self.failures - 1, 32)  # beyond any cap; keeps the power a finite float
        ceiling = min(self._cap_seconds, self._first_seconds * 2**exponent)
        return at_least + random.uniform(0.0, ceiling)

    def served(self, seconds: float) -> None:
        """It worked for so long; after a steady while, earlier failures no longer count."""
        if seconds >= self._cap_seconds:
            self.failures = 0
