"""What the page shows: what each person got in each channel, and what nobody got, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.activity.store import Job, Notification
from stack.novu_sink.control.journal import PROCESSED, Journal

_SENT = "sent"
_TAG = re.compile(r"</?[a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message to one person; `reason` says why it did not reach them."""

    person: str
    channel: str
    workflow: str
    transaction_id: str
    environment: str
    at: datetime
    verdict: str
    reason: str | None
    address: str | None
    subject: str | None
    body: str | None

    @property
    def is_html(self) -> bool:
        """Whether the body is to be shown as a page would show it: an email, or an in-app message with tags."""
        return self.channel == "email" or self.has_tags

    @property
    def has_tags(self) -> bool:
        """Of an in-app message. Novu's own component shows tags as text, an application's may render them."""
        return self.channel == "in_app" and _TAG.search(self.body or "") is not None


@dataclass(frozen=True, slots=True)
class Lost:
    """An event, or a recipient of it, that reached nobody."""

    workflow: str
    transaction_id: str
    at: datetime
    verdict: str
    reason: str


def newest_entries(account: Account) -> Iterator[Entry]:
    """All messages and failures, the newest first; skipped steps are neither."""
    for environment in account.environments:
        for notification in reversed(environment.activity.notifications):
            for job in notification.jobs:
                if job.message is not None or job.status == "failed":
                    yield _entry(job, notification, environment)


def newest_losses(account: Account, journal: Journal) -> list[Lost]:
    """What the worker dropped, and what the API did not take."""
    dropped = [
        Lost(one.workflow, one.transaction_id, _instant(one.at), "dropped", one.reason)
        for environment in account.environments
        for one in environment.activity.dropped
    ]
    refused = [
        Lost(
            event.workflow,
            event.transaction_id,
            _instant(request.received_at_ns / 1e9),
            event.status,
            "; ".join(event.error or [event.status]),
        )
        for request in journal.requests()
        for event in request.events
        if event.status != PROCESSED
    ]
    return sorted([*dropped, *refused], key=lambda one: one.at, reverse=True)


def _entry(job: Job, notification: Notification, environment: Environment) -> Entry:
    message = job.message
    verdict = message.status if message is not None else job.status
    cancelled = notification.received.cancelled
    reason = job.details[-1] if job.details and verdict != _SENT else None
    return Entry(
        person=notification.subscriber_id,
        channel=job.step["type"],
        workflow=notification.workflow["workflowId"],
        transaction_id=notification.transaction_id,
        environment=environment.name,
        at=_instant(notification.at),
        verdict="cancelled" if cancelled else verdict,
        reason=None if reason is None else ": ".join(filter(None, (reason.detail, reason.raw))),
        address=(message.email or message.phone) if message else None,
        subject=message.subject if message else None,
        body=message.content if message else None,
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
