"""What became of a notification after Novu took it, in our own words: none of Novu's or a provider's is kept. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.notification.models import Channel


class DeliveryState(StrEnum):
    """Of one notification. `accepted`: Novu has it, and not everything is known yet. `unknown`: Novu has forgotten it
    before everything was.
    """

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    PARTLY = "partly"
    UNDELIVERED = "undelivered"
    UNKNOWN = "unknown"


class MessageOutcome(StrEnum):
    """Of one message to one person in one channel. `skipped`: a condition, preference or cancellation left it out."""

    SKIPPED = "skipped"
    FAILED = "failed"
    SENT = "sent"


class Cause(StrEnum):
    """Why a message was not sent; each has its line in docs/delivery.md."""

    NO_ADDRESS = "no_address"
    NO_INTEGRATION = "no_integration"
    CONTENT = "content"
    PROVIDER_ERROR = "provider_error"
    CONDITION = "condition"
    PREFERENCE = "preference"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


FAILURES = frozenset(Cause) - {Cause.CONDITION, Cause.PREFERENCE, Cause.CANCELLED}
"""Of messages that failed; the others were left out on purpose, and are not tried again."""


@dataclass(frozen=True, slots=True)
class DeliveryFact:
    """What somebody has said of one message. The subscriber id is for counting people, and is not stored."""

    transaction_id: str
    subscriber_id: str
    channel: Channel
    outcome: MessageOutcome
    at: datetime
    cause: Cause | None = None
    seen: bool = False
    read: bool = False


CHANNELS: Mapping[str, Channel] = {
    "in_app": Channel.IN_APP,
    "email": Channel.EMAIL,
    "sms": Channel.SMS,
    "chat": Channel.CHAT,
    "push": Channel.PUSH,
}
"""By Novu's names. Steps of other types bring nobody a message."""

_BY_SENTENCE: Mapping[str, Cause] = {
    "subscriber missing recipient details": Cause.NO_ADDRESS,
    "subscriber does not have an email address": Cause.NO_ADDRESS,
    "subscriber does not have a phone number": Cause.NO_ADDRESS,
    "subscriber does not have a configured channel": Cause.NO_ADDRESS,
    "subscriber credentials is missing the tokens for sending a push notification message": Cause.NO_ADDRESS,
    "webhook url for the chat channel is missing": Cause.NO_ADDRESS,
    "subscriber does not have an active integration": Cause.NO_INTEGRATION,
    "message content could not be generated": Cause.CONTENT,
    "unexpected provider error": Cause.PROVIDER_ERROR,
    "step was filtered based on steps filters": Cause.CONDITION,
    "step was filtered based on subscriber preferences": Cause.PREFERENCE,
    "step was filtered based on subscriber global preferences": Cause.PREFERENCE,
}
_BY_PART_OF_AN_ID: Mapping[str, Cause] = {
    "missing": Cause.NO_ADDRESS,
    "integration": Cause.NO_INTEGRATION,
    "unexpected_error": Cause.PROVIDER_ERROR,
    "provider_error": Cause.PROVIDER_ERROR,
}


def cause_of_sentence(sentence: Any) -> Cause | None:
    """The cause that a detail of Novu's activity tells; None for a sentence that is not known."""
    return _BY_SENTENCE.get(sentence.strip().rstrip(".").lower()) if isinstance(sentence, str) else None


def cause_of_error(error_id: Any, error_text: Any, status: Any) -> Cause:
    """The cause that a message tells by its error id and text, or by its status alone."""
    if (cause := cause_of_sentence(error_text)) is not None:
        return cause
    if isinstance(error_id, str):
        for part, cause in _BY_PART_OF_AN_ID.items():
            if part in error_id.lower():
                return cause
    # Novu's `warning` is a message for which an address is missing.
    return Cause.NO_ADDRESS if status == "warning" else Cause.UNKNOWN
