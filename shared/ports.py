"""Every Protocol between our code and the outside. Adapters implement them; only bootstrap modules choose one."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Outcome, RefusalCode


class StoreUnavailable(Exception):
    """The database could not answer: a passing fault, worth trying again."""


@dataclass(frozen=True, slots=True)
class DueNotifications:
    """One enterprise's page of due rows that nobody holds, in id order.

    `pending` of them were never claimed, `expired` had a claim whose lease ran out.
    `has_more` says that the page was full: ask again after the last id.
    """

    enterprise_id: str
    notification_ids: tuple[int, ...]
    pending: int
    expired: int
    has_more: bool


class NotificationClaims(Protocol):
    """Taking rows and settling them. Every method touches only the enterprise it is given.

    All methods raise StoreUnavailable on a passing fault.
    """

    async def claim(
        self, enterprise_id: str, notification_ids: Sequence[int], *, claim_owner: str, lease_seconds: int
    ) -> ClaimedBatch:
        """Take the rows that are active, due and free (or already this owner's), PENDING to PROCESSING.

        Repeating a claim with the same owner returns the same rows, less those whose outcome is recorded.
        """
        ...

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> frozenset[int]:
        """Write outcomes on the rows this owner holds; returns the ids written."""
        ...

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        """Extend the lease of the given rows and store their count of accepted chunks.

        Returns the ids that are still this owner's; work on any other must stop.
        """
        ...


class NotificationStore(NotificationClaims, Protocol):
    """The table of notifications: claims, and what is due."""

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        """Due rows that nobody holds, at most `page_size` for each enterprise, with ids above `after_id`."""
        ...

    async def beat_canary(self, listener_id: str) -> int:
        """Write the listener's canary row; returns the beat number that should come back as a row change."""
        ...


@dataclass(frozen=True, slots=True)
class TriggerEvent:
    """One call to Novu for at most 100 recipients."""

    novu_workflow_key: str
    recipients: tuple[str, ...]
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any]
    transaction_id: str


@dataclass(frozen=True, slots=True)
class TriggerAccepted:
    """Novu will process the event."""


@dataclass(frozen=True, slots=True)
class TriggerRefused:
    """Novu will never process the event as it is; `reason` is Novu's own word for it.

    Under any other `code` the event was not sent at all, because Novu would not have taken it, and `reason` is ours.
    """

    reason: str
    code: RefusalCode = RefusalCode.NOVU_REFUSED


@dataclass(frozen=True, slots=True)
class TriggerFault:
    """It is unknown whether Novu took the event, or it said to come back: try again under the same transaction id.

    `retry_after_seconds` is what Novu asked for, if it did.
    """

    reason: str
    retry_after_seconds: float | None = None


TriggerResult = TriggerAccepted | TriggerRefused | TriggerFault


class NotificationTrigger(Protocol):
    """Novu's event endpoints."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """Trigger the events in as few calls as the limits allow; one result for each, in order. Never raises."""
        ...


class ProcessingStarter(Protocol):
    """Starts the processing of rows, wherever workflows run."""

    async def start(self, enterprise_id: str, notification_ids: Sequence[int]) -> bool:
        """Start one workflow for all the ids; False if that very work runs already."""
        ...


class SentNotificationCancelling(Protocol):
    """Novu's way back."""

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel one event; False if there is nothing left to cancel. Raises on a passing fault."""
        ...


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


FeedEvent = RowChange | RowScheduled | RowRetracted | RuleChanged | FeedGap


@dataclass(slots=True)
class FeedStatus:
    """What an adapter has observed, counted from live objects; the adapter alone writes it, and CATCHING_UP not at all:
    whether a gap has been swept is for the consumer to say.
    """

    states: dict[str, FeedState] = field(default_factory=dict)
    changes_received: int = 0
    changes_malformed: int = 0
    callbacks_failed: int = 0
    reconnects: int = 0
    last_proof_of_life: datetime | None = None
    last_error: str | None = None


class RowChangeFeed(Protocol):
    """A doorbell. It may miss rings, and says so with FeedGap; nothing past this port knows which doorbell it is."""

    status: FeedStatus

    def events(self) -> AsyncIterator[FeedEvent]:
        """Changes as they come, for ever; reconnects by itself, and ends only when closed."""
        ...

    async def close(self) -> None:
        """Leave all seats; `events` ends."""
        ...
