"""What people really got: counted by whatever names an event, by person and by channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stack.novu_sink.account import Environment
from stack.novu_sink.activity.store import Job, Notification

TRANSACTION = "transaction_id"


def truth(environment: Environment, *, prefix: str = "", by: str = TRANSACTION) -> dict[str, Any]:
    """`people`: for each event, person and channel how many messages came to which end. `by` is `transaction_id`, or
    `payload.` and a path: events of different transaction ids that carry the same value there are counted together.
    `twice` counts those who were sent two or more messages of one event in one channel."""
    people: dict[tuple[str, str, str], Counter[str]] = {}
    sent: Counter[str] = Counter()
    for notification in environment.activity.notifications:
        if not notification.transaction_id.startswith(prefix):
            continue
        key = _key(notification, by)
        for job in notification.jobs:
            channel = job.step["type"]
            ends = people.setdefault((key, notification.subscriber_id, channel), Counter())
            end = _end(job)
            ends[end] += 1
            if end == "sent":
                sent[channel] += 1
    dropped = [one for one in environment.activity.dropped if one.transaction_id.startswith(prefix)]
    return {
        "people": [
            {"event": key, "subscriber": subscriber, "channel": channel, **ends}
            for (key, subscriber, channel), ends in people.items()
        ],
        "sent": dict(sent),
        "twice": sum(ends["sent"] > 1 for ends in people.values()),
        "dropped": [
            {"transaction_id": one.transaction_id, "workflow": one.workflow, "reason": one.reason, "at": one.at}
            for one in dropped
        ],
        "dropped_by_reason": dict(Counter(one.reason for one in dropped)),
    }


def _end(job: Job) -> str:
    """sent, warning (no address), error (the provider), failed (no content, no integration), or the job's status."""
    return job.message.status if job.message is not None else job.status


def _key(notification: Notification, by: str) -> str:
    if by == TRANSACTION:
        return notification.transaction_id
    value: Any = notification.payload
    for name in by.removeprefix("payload.").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return str(value)
