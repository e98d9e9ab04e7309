"""The way to Novu: one event and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from shared.notification.outcomes import RefusalCode
from shared.notification.recipient import Recipient


@dataclass(frozen=True, slots=True)
class TriggerEvent:
    """One call to Novu for at most 100 recipients: a subscriber's id, or what is known of a subscriber."""

    novu_workflow_key: str
    recipients: Sequence[str | Recipient] = field(repr=False)
    payload: Mapping[str, Any]
    overrides: Mapping[str, Any]
    transaction_id: str
    enterprise_id: str = ""
    chunk: int = 0
    idempotency_round: int = 0
    """How many calls for its row Novu has definitely refused: another Idempotency-Key each."""
    needs_credentials: bool = False
    """Novu is to have the push and chat credentials of its recipients before it."""


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


class FaultCode(StrEnum):
    """What kept an event from Novu, as health and metrics call it; each has its line in docs/error_codes.md.

    NOVU_RATE: it was not sent, because Novu's rate is used up for now; ENTERPRISE_RATE: because its
    enterprise's own is. NOVU_PAYMENT_REQUIRED: nothing is taken. NOVU_KEY_MISSING: the worker does not have its
    enterprise's key.
    """

    NOVU_FAULT = "novu_fault"
    NOVU_RATE = "novu_rate"
    ENTERPRISE_RATE = "enterprise_rate"
    NOVU_PAYMENT_REQUIRED = "novu_payment_required"
    NOVU_KEY_MISSING = "novu_key_missing"


@dataclass(frozen=True, slots=True)
class TriggerFault:
    """Novu has definitely not taken the event, and may another time: it said so, or was not asked.

    `retry_after_seconds` is what Novu asked for, if it did. `key_spent`: under the same Idempotency-Key it would give
    this very answer again.
    """

    reason: str
    retry_after_seconds: float | None = None
    code: FaultCode = FaultCode.NOVU_FAULT
    key_spent: bool = False


@dataclass(frozen=True, slots=True)
class TriggerUnknown:
    """Nobody knows whether Novu took the event: its answer was lost, or is still to be made.

    `key_spent`: Novu had been called under this Idempotency-Key for an event of another content, and tells no more.
    """

    reason: str
    retry_after_seconds: float | None = None
    key_spent: bool = False


TriggerResult = TriggerAccepted | TriggerRefused | TriggerFault | TriggerUnknown


class NotificationTrigger(Protocol):
    """Novu's event endpoints."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """Trigger the events in as few calls as the limits allow; one result for each, in order. Never raises."""
        ...
