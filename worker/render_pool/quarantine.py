"""Templates that brought a child down, kept from the next."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_STRIKES: Final = 2
_SECONDS: Final = 300.0
_REMEMBERED: Final = 1_000


class Quarantine:
    """Refuses for five minutes, without running them, templates that brought a child down twice.

    Templates are known by a fingerprint of id and content, so a corrected one is free at once. Only the last thousand
    are remembered: one forgotten too early costs another child, no more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._strikes: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def strike(self, fingerprint: int) -> None:
        """Note that a template with this fingerprint brought a child down."""
        count = self._count(fingerprint) + 1
        self._strikes[fingerprint] = (count, self._clock() + _SECONDS)
        self._strikes.move_to_end(fingerprint)
        while len(self._strikes) > _REMEMBERED:
            self._strikes.popitem(last=False)

    def holds(self, fingerprint: int) -> bool:
        """Whether to refuse without running."""
        return self._count(fingerprint) >= _STRIKES

    def _count(self, fingerprint: int) -> int:
        count, until = self._strikes.get(fingerprint, (0, 0.0))
        return count if self._clock() < until else 0
