"""What brought a child down is kept from the next: for a while, and never for good."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_STRIKES: Final = 2
PAUSE_SECONDS: Final = 5.0
"""Between two tries of what is held: a lost child costs more than a second, so this leaves three quarters to others."""
_FORGOTTEN_SECONDS: Final = 300.0
_REMEMBERED: Final = 1_000


class Quarantine:
    """Delays what is like that which has cost two children: one of it is tried, alone, each PAUSE_SECONDS.

    It fails nothing: each has its own try, and what that shows is said of it alone. One that renders sets all of its
    like free. Strikes are by fingerprint and forgotten after five minutes. Only the last thousand are remembered: one
    forgotten too early costs another child, no more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._strikes: OrderedDict[int, tuple[int, float, float]] = OrderedDict()

    def strike(self, fingerprint: int) -> None:
        """Note that something with this fingerprint brought a child down."""
        now = self._clock()
        count, struck_at, _ = self._strikes.get(fingerprint, (0, now, now))
        if now - struck_at >= _FORGOTTEN_SECONDS:
            count = 0
        self._strikes[fingerprint] = (count + 1, now, now + PAUSE_SECONDS)
        self._strikes.move_to_end(fingerprint)
        while len(self._strikes) > _REMEMBERED:
            self._strikes.popitem(last=False)

    def delay_seconds(self, fingerprint: int) -> float:
        """How long it is to wait; 0.0: let it run now. That takes the turn: those of its like that come next wait."""
        held = self._strikes.get(fingerprint)
        if held is None:
            return 0.0
        count, struck_at, next_try_at = held
        now = self._clock()
        if count < _STRIKES or now - struck_at >= _FORGOTTEN_SECONDS:
            return 0.0
        if now < next_try_at:
            return next_try_at - now
        self._strikes[fingerprint] = (count, struck_at, now + PAUSE_SECONDS)
        return 0.0

    def clear(self, fingerprint: int) -> None:
        """Note that something with this fingerprint rendered, so that it is not what its like have in common."""
        self._strikes.pop(fingerprint, None)
