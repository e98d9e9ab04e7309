"""An enterprise's flood goes to Temporal a few full batches at a time; the table keeps the rest."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

MOST_UNDER_WAY = 16
"""Full batches of one enterprise and priority: five workers have three each (worker/activities/large_deliveries.py)."""

COUNTED_SECONDS = 30.0
"""One that takes longer waits for somebody, for its rows' next attempt say, and takes nobody's time meanwhile: sixteen
of those would hold up all that comes after them for as long as the attempts last, which is a day.
"""


class Whose(NamedTuple):
    """What waits together: rows of one priority, of one enterprise."""

    priority: int
    enterprise_id: str


class Floods:
    """Counts the full batches that Temporal has and has not done with.

    Two hundred at once take Temporal's time and the workers' while they wait, and each step of a single row waits
    behind them.
    """

    def __init__(self, on_room: Callable[[str], None], *, most: int = MOST_UNDER_WAY) -> None:
        """`on_room` hears which enterprise's flood was held up and may go on: there is more of it in the table."""
        self._on_room = on_room
        self._most = most
        self._under_way: Counter[Whose] = Counter()
        self._held_up: set[Whose] = set()
        self._followers: list[Callable[[], None]] = []

    def follow(self, on_ended: Callable[[], None]) -> None:
        """`on_ended` is called whenever one has ended."""
        self._followers.append(on_ended)

    def admits(self, whose: Whose) -> bool:
        """Whether one more of these may begin; if not, `on_room` will say when."""
        if self._under_way[whose] < self._most:
            return True
        self._held_up.add(whose)
        return False

    def began(self, whose: Whose) -> None:
        """A full batch is handed over."""
        self._under_way[whose] += 1

    def ended(self, whose: Whose) -> None:
        """It is done, or will never begin, or counts no longer."""
        self._under_way[whose] -= 1
        left = self._under_way[whose]
        if not left:
            del self._under_way[whose]
        for on_ended in self._followers:
            on_ended()
        if whose in self._held_up and left <= self._most // 2:  # not at each: every time the table is read
            self._held_up.discard(whose)
            self._on_room(whose.enterprise_id)
