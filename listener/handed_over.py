"""A short memory of the rows handed over, so that an event and a sweep do not both start them."""

import time
from collections import OrderedDict
from collections.abc import Callable

from shared.ports import ChangeType, RowChange, RowRetracted

REMEMBERED_SECONDS = 15.0
"""Longer than a claim waits in a loaded queue; a row still due after that is handed over anew by the next sweep."""


class HandedOver:
    """Ids handed over within the last `seconds`, at most `capacity` of them (row ids are unique across enterprises).

    Forgetting an id too early costs one workflow that finds nothing to claim; remembering it too long delays a sweep
    by `seconds`. Neither loses or repeats a notification.
    """

    def __init__(
        self,
        *,
        seconds: float = REMEMBERED_SECONDS,
        capacity: int = 50_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._clock = clock
        self._handed_over_at: OrderedDict[int, float] = OrderedDict()

    @property
    def is_full(self) -> bool:
        """So much is under way that more would only lengthen Temporal's queue."""
        self._forget_old(self._clock())
        return len(self._handed_over_at) >= self._capacity

    def take_change(self, change: RowChange | RowRetracted) -> bool:
        """True if the change means new work; it is remembered then.

        Events trail their commit, so one about a row just handed over is mostly old news. It is not if the row was
        updated since, to be sent after all: released by its worker, say. The commit time is the database's clock;
        should it lag behind ours, such an update waits for the next sweep. A retraction is news once.
        """
        if isinstance(change, RowRetracted):
            return self.take_due(change.notification_id)
        handed_over_at = self._handed_over_at.get(change.notification_id)
        if handed_over_at is None or handed_over_at < self._clock() - self._seconds:
            return self._remember(change.notification_id)
        if change.change is ChangeType.INSERT or change.committed_at is None:
            return False
        return change.committed_at.timestamp() > handed_over_at and self._remember(change.notification_id)

    def take_due(self, notification_id: int) -> bool:
        """True if a sweep should hand this row over; it is remembered then."""
        handed_over_at = self._handed_over_at.get(notification_id)
        if handed_over_at is not None and handed_over_at >= self._clock() - self._seconds:
            return False
        return self._remember(notification_id)

    def forget_all(self) -> None:
        """What was handed over may have been lost: every due row is fair game."""
        self._handed_over_at.clear()

    def _remember(self, notification_id: int) -> bool:
        now = self._clock()
        self._handed_over_at[notification_id] = now
        self._handed_over_at.move_to_end(notification_id)
        self._forget_old(now)
        while len(self._handed_over_at) > self._capacity:
            self._handed_over_at.popitem(last=False)
        return True

    def _forget_old(self, now: float) -> None:
        while self._handed_over_at:
            notification_id, handed_over_at = next(iter(self._handed_over_at.items()))
            if handed_over_at >= now - self._seconds:
                return
            del self._handed_over_at[notification_id]
