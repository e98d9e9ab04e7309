"""What Novu's activity and its webhooks say of messages, as facts: codes, counts and ids, none of their texts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from shared.notification.delivery import (
    CHANNELS,
    Cause,
    DeliveryFact,
    MessageOutcome,
    cause_of_error,
    cause_of_sentence,
)
from shared.notification.models import Channel

_JOB_OUTCOMES: Mapping[str, MessageOutcome] = {
    "completed": MessageOutcome.SENT,
    "failed": MessageOutcome.FAILED,
    "canceled": MessageOutcome.SKIPPED,
    "merged": MessageOutcome.SKIPPED,
    "skipped": MessageOutcome.SKIPPED,
}
"""Every other status is on its way."""

_TOLD_BY = frozenset(
    f"message.{kind}"
    for kind in (
        *("sent", "failed", "delivered", "seen", "read", "unread"),
        *("archived", "unarchived", "snoozed", "unsnoozed"),
    )
)
"""Types of events that say something of one message; what is sent to somebody is all that some of them say."""

_LONGEST_ID = 4000
"""A subscriber id of Novu's is shorter."""


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """What one entry of the activity feed says of one event and subscriber. `settled`: no step is on its way."""

    transaction_id: str
    subscriber_id: str
    facts: tuple[DeliveryFact, ...]
    settled: bool


def read_notification(entry: Mapping[str, Any]) -> ActivityEntry | None:
    """An entry of `GET /v1/notifications`; None for one that names no event or no subscriber."""
    transaction_id, subscriber_id = entry.get("transactionId"), _member(entry.get("subscriber"), "subscriberId")
    jobs = entry.get("jobs")
    if not _is_id(transaction_id) or not _is_id(subscriber_id) or not isinstance(jobs, list):
        return None
    jobs = [job for job in jobs if isinstance(job, dict)]
    at = _instant(entry.get("createdAt"))
    facts = (_fact_of_job(job, transaction_id, subscriber_id, at) for job in jobs)
    return ActivityEntry(
        transaction_id,
        subscriber_id,
        tuple(fact for fact in facts if fact is not None),
        # Without any step Novu has not begun.
        settled=bool(jobs) and all(str(job.get("status")) in _JOB_OUTCOMES for job in jobs),
    )


def read_message(message: Mapping[str, Any]) -> DeliveryFact | None:
    """An entry of `GET /v1/messages`, or what a webhook tells of; None for one that concerns no message of ours."""
    return _fact_of_message(message, has_error=False)


def read_event(event: Any) -> DeliveryFact | None:
    """A webhook's body; None where it says nothing of a message to somebody."""
    if not isinstance(event, dict) or str(event.get("type")) not in _TOLD_BY:
        return None
    data = event.get("data")
    message = _member(data, "object")
    if not isinstance(message, dict):
        return None
    kind = event["type"]
    # Failures of chat messages come as message.sent with an error.
    fact = _fact_of_message(message, has_error=kind == "message.failed" or bool(_member(data, "error")))
    if fact is None or fact.outcome is not MessageOutcome.SENT:
        return fact
    return DeliveryFact(
        fact.transaction_id,
        fact.subscriber_id,
        fact.channel,
        fact.outcome,
        fact.at,
        seen=fact.seen or kind in ("message.seen", "message.read"),
        read=fact.read or kind == "message.read",
    )


def _fact_of_job(job: Mapping[str, Any], transaction_id: str, subscriber_id: str, at: datetime) -> DeliveryFact | None:
    channel = _channel(job.get("type"))
    outcome = _JOB_OUTCOMES.get(str(job.get("status")))
    if channel is None or outcome is None:
        return None
    cause = None if outcome is MessageOutcome.SENT else _cause_of_job(job)
    return DeliveryFact(transaction_id, subscriber_id, channel, outcome, at, cause)


def _cause_of_job(job: Mapping[str, Any]) -> Cause:
    """The latest of its details that is understood."""
    if job.get("status") in ("canceled", "merged"):
        return Cause.CANCELLED
    details = job.get("executionDetails")
    sentences = [_member(detail, "detail") for detail in details] if isinstance(details, list) else []
    causes = [cause for sentence in sentences if (cause := cause_of_sentence(sentence)) is not None]
    if causes:
        return causes[-1]
    return Cause.CONDITION if job.get("status") == "skipped" else Cause.UNKNOWN


def _fact_of_message(message: Mapping[str, Any], *, has_error: bool) -> DeliveryFact | None:
    transaction_id = message.get("transactionId")
    subscriber_id = message.get("subscriberId") or _member(message.get("subscriber"), "subscriberId")
    channel, status = _channel(message.get("channel")), message.get("status")
    if channel is None or not _is_id(transaction_id) or not _is_id(subscriber_id):
        return None
    at = _instant(message.get("createdAt"))
    if has_error or status in ("error", "warning"):
        cause = cause_of_error(message.get("errorId"), message.get("errorText"), status)
        return DeliveryFact(transaction_id, subscriber_id, channel, MessageOutcome.FAILED, at, cause)
    return DeliveryFact(
        transaction_id,
        subscriber_id,
        channel,
        MessageOutcome.SENT,
        at,
        seen=message.get("seen") is True or message.get("read") is True,
        read=message.get("read") is True,
    )


def _channel(name: Any) -> Channel | None:
    return CHANNELS.get(name) if isinstance(name, str) else None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _is_id(value: Any) -> TypeGuard[str]:
    """PostgreSQL's text has no U+0000, and UTF-8 no halves of surrogate pairs."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _instant(value: Any) -> datetime:
    """When; some instant that is the same every time where Novu tells none."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
