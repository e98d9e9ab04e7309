"""The doorbell: that rows changed, and how well it is heard."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from shared.notification.priority import NORMAL


class FeedWay(StrEnum):
    """How rings are carried from the database to a listener."""

    POSTGRES_CHANGES = "postgres_changes"
    BROADCAST = "broadcast"


class ChangeType(StrEnum):
    """What happened to the row."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"


@dataclass(frozen=True, slots=True)
class RowChange:
    """A notification row appeared or changed in a way that means work. `committed_at` is the transaction's time."""

    enterprise_id: str
    notification_id: int
    change: ChangeType
    committed_at: datetime | None = None
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class RowScheduled:
    """A notification row appeared or changed that will be due at `scheduled_for`, in the future."""

    enterprise_id: str
    scheduled_for: datetime


@dataclass(frozen=True, slots=True)
class RowRetracted:
    """A notification row that was sent has turned RETRACTED."""

    enterprise_id: str
    notification_id: int
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A rule row of the enterprise appeared or changed."""

    enterprise_id: str


class FeedState(StrEnum):
    """One enterprise's seat on the feed, as last observed."""

    RECONNECTING = "reconnecting"
    CATCHING_UP = "catching_up"
    SUBSCRIBED = "subscribed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FeedGap:
    """Changes of these enterprises may have been missed: read the table. Sent after every (re)subscription."""

    enterprise_ids: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class FeedLate:
    """Changes of these enterprises come late, if they come: do not wait for them. Sent again while that lasts."""

    enterprise_ids: frozenset[str]


FeedEvent = RowChange | RowScheduled | RowRetracted | RuleChanged | FeedGap | FeedLate


@dataclass(slots=True)
class FeedStatus:
    """What an adapter has observed, counted from live objects; the adapter alone writes it, and CATCHING_UP not at all:
    whether a gap has been swept is for the consumer to say. `way` is how it hears, for people and for the store.
    """

    way: FeedWay = FeedWay.POSTGRES_CHANGES
    state: FeedState = FeedState.RECONNECTING
    states: dict[str, FeedState] = field(default_factory=dict)
    changes_received: int = 0
    changes_malformed: int = 0
    callbacks_failed: int = 0
    reconnects: int = 0
    last_proof_of_life: datetime | None = None
    last_error: str | None = None

    def after(self, former: Self) -> Self:
        """This one, with what a former one has counted; the later proof of life is that of both."""
        proofs = [each.last_proof_of_life for each in (self, former) if each.last_proof_of_life is not None]
        return replace(
            self,
            changes_received=former.changes_received + self.changes_received,
            changes_malformed=former.changes_malformed + self.changes_malformed,
            callbacks_failed=former.callbacks_failed + self.callbacks_failed,
            reconnects=former.reconnects + self.reconnects,
            last_proof_of_life=max(proofs, default=None),
        )


class RowChangeFeed(Protocol):
    """A doorbell. It may miss rings, and says so with FeedGap; nothing past this port knows which doorbell it is."""

    @property
    def status(self) -> FeedStatus:
        """As it is now: to be asked for each time."""
        ...

    def events(self) -> AsyncIterator[FeedEvent]:
        """Changes as they come, for ever; reconnects by itself, and ends only when closed.

        Whoever stops listening may call this again, to go on with what has come since.
        """
        ...

    async def close(self) -> None:
        """Leave all seats; `events` ends."""
        ...
