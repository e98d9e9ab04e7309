"""Notifications for later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DueScheduled:
    """Scheduled rows that are due, earliest first, and when the next will be; `now` is the database's clock.

    `has_more` says that the page was full: ask again once these are claimed. `priorities` has those of the rows whose
    priority is not the normal one.
    """

    now: datetime
    notification_ids: tuple[int, ...]
    has_more: bool
    next_due_at: datetime | None
    priorities: Mapping[int, int] = field(default_factory=dict)

    @property
    def seconds_until_next(self) -> float | None:
        """From the database's now to the next due instant, always positive; None if there is none."""
        return None if self.next_due_at is None else (self.next_due_at - self.now).total_seconds()


class ScheduleStore(Protocol):
    """Rows with a `scheduled_for`."""

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        """At most `limit` due rows that nobody has claimed; notes that the scheduler has looked.

        Raises StoreUnavailable on a passing fault.
        """
        ...
