"""What Novu keeps of an environment's events: notifications, jobs, messages; and, for us, what was dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack.novu_sink.api.answers import new_id
from stack.novu_sink.control.journal import ReceivedEvent

HELD_BACK = frozenset({"delayed", "merged"})


@dataclass(slots=True)
class Detail:
    """One sentence about a job, with Novu's word for how good it is."""

    at: float
    detail: str
    status: str
    raw: str | None = None


@dataclass(slots=True)
class Message:
    """What one person got, or should have got, in one channel."""

    notification: Notification
    step_id: str
    channel: str
    at: float
    status: str = "sent"
    subject: str | None = None
    content: str = ""
    provider_id: str | None = None
    email: str | None = None
    phone: str | None = None
    error_id: str | None = None
    error_text: str | None = None
    seen: bool = False
    read: bool = False
    archived: bool = False
    delivered_at: list[float] = field(default_factory=list)
    deleted: bool = False
    """Novu shows it no more; what we know of whom it reached, `/_sink/truth`, stays."""
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Job:
    """One step of one notification. Status is Novu's: pending, delayed, canceled, completed, failed, skipped."""

    step: Mapping[str, Any]
    status: str = "pending"
    provider_id: str | None = None
    details: list[Detail] = field(default_factory=list)
    message: Message | None = None
    id: str = field(default_factory=new_id)

    def note(self, at: float, detail: str, status: str, raw: str | None = None) -> None:
        self.details.append(Detail(at, detail, status, raw))


@dataclass(slots=True)
class Notification:
    """One event for one subscriber. Its jobs are there once its steps have begun."""

    environment_id: str
    transaction_id: str
    workflow: Mapping[str, Any]
    subscriber_id: str
    payload: Mapping[str, Any]
    at: float
    received: ReceivedEvent
    jobs: list[Job] = field(default_factory=list)
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event, or one of its recipients, of whom nobody heard anything. Novu tells this to no one."""

    at: float
    transaction_id: str
    workflow: str
    reason: str


class Activity:
    """In the order in which the worker took things up."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.dropped: list[Dropped] = []
        self._by_transaction: defaultdict[str, list[Notification]] = defaultdict(list)
        self._taken: defaultdict[str, list[ReceivedEvent]] = defaultdict(list)

    def take(self, event: ReceivedEvent) -> None:
        """An event that the API has queued."""
        self._taken[event.transaction_id].append(event)

    def taken(self, transaction_id: str) -> list[ReceivedEvent]:
        return self._taken.get(transaction_id, [])

    def add(self, notification: Notification) -> None:
        self.notifications.append(notification)
        self._by_transaction[notification.transaction_id].append(notification)

    def drop(self, at: float, transaction_id: str, workflow: str, reason: str) -> None:
        self.dropped.append(Dropped(at, transaction_id, workflow, reason))

    def of_transaction(self, transaction_id: str) -> list[Notification]:
        return self._by_transaction.get(transaction_id, [])

    def has_jobs(self, transaction_id: str, since: float) -> bool:
        """Whether a job with this transaction id is stored; those from before `since` have been cleared away."""
        return any(one.at > since for one in self.of_transaction(transaction_id))

    def messages(self) -> Iterator[Message]:
        for notification in self.notifications:
            for job in notification.jobs:
                if job.message is not None:
                    yield job.message

    def message(self, message_id: str) -> Message | None:
        return next((one for one in self.messages() if one.id == message_id), None)
