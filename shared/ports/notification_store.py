"""The table of notifications: what is due, and what keeps its changes from a listener."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.ports.notification_claims import NotificationClaims
from shared.ports.row_change_feed import FeedWay


@dataclass(frozen=True, slots=True)
class DueNotifications:
    """One enterprise's page of due rows that nobody holds, in id order.

    `pending` of them were never claimed, `expired` had a claim whose lease ran out.
    `has_more` says that the page was full: ask again after the last id.

    With the first page come the next instant for which a row is scheduled, and retracted rows that Novu is still to
    be asked to cancel; a page may hold nothing else. So do the `urgent` ones of the whole backlog, in order of their
    priority, each with its own; `priorities` has those of the page that are not the normal one.
    """

    enterprise_id: str
    notification_ids: tuple[int, ...]
    pending: int
    expired: int
    has_more: bool
    next_scheduled_at: datetime | None = None
    uncancelled: tuple[int, ...] = ()
    priorities: Mapping[int, int] = field(default_factory=dict)
    urgent: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FeedFlaw:
    """Something that keeps row changes from a listener, and the statement (or statements) that mends it."""

    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class LookoutFindings:
    """`unread_rules` are the enterprises whose scheduler has not read its rules since they changed, and for how many
    seconds; `flaws` what keeps row changes from the listener.
    """

    unread_rules: Mapping[str, float]
    flaws: tuple[FeedFlaw, ...]


class NotificationStore(NotificationClaims, Protocol):
    """The table of notifications: claims, and what is due."""

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        """Due rows that nobody holds, at most `page_size` for each enterprise, with ids above `after_id`.

        Enterprises of which there is nothing to say are left out.
        """
        ...

    async def look_out(self, enterprise_ids: Collection[str], way: FeedWay) -> LookoutFindings:
        """What the feed of row changes does not tell of these enterprises, and what keeps them from its way."""
        ...

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        """Ring a beat for the listener itself; returns its number, which should come back this way.

        For some time from now on, rings are carried this way.
        """
        ...
