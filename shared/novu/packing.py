"""Writes events as Novu's JSON and packs them into requests within Novu's limits. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.notification.recipient import Recipient
from shared.ports import TriggerEvent

EVENTS_PER_BULK_REQUEST = 100
"""Novu refuses more."""

EVENT_LIMIT_BYTES = 512 * 1024
"""Novu refuses an event whose payload is larger with 413 (docs.novu.co, "Payload limits")."""

BULK_LIMIT_BYTES = 500_000
"""Novu measures each event of a bulk request by itself; a body this size stays below what gateways let pass."""

_BULK_FRAME_BYTES = len(b'{"events":[]}')


class NotJson(ValueError):
    """The event's payload or overrides cannot be written as JSON."""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as it travels: UTF-8 JSON, written once. `position` is its place in the caller's sequence."""

    position: int
    event: TriggerEvent
    body: bytes

    @property
    def is_too_large(self) -> bool:
        """As Novu counts: the payload alone, its attachments excluded."""
        return len(self.body) > EVENT_LIMIT_BYTES and _payload_bytes(self.event) > EVENT_LIMIT_BYTES


def encode(position: int, event: TriggerEvent) -> EncodedEvent:
    """Write one event as Novu reads it.

    Raises:
        NotJson: the payload or the overrides hold NaN, half a surrogate pair or a value that is no JSON.
    """
    fields = {
        "name": event.novu_workflow_key,
        "to": [_to(recipient) for recipient in event.recipients],
        "payload": dict(event.payload),
        "overrides": dict(event.overrides),
        "transactionId": event.transaction_id,
    }
    try:
        return EncodedEvent(position, event, _json(fields))
    except (TypeError, ValueError, RecursionError) as error:
        # The cause would quote the value, so only its kind is passed on.
        raise NotJson(type(error).__name__) from None


def _to(recipient: str | Recipient) -> str | dict[str, Any]:
    return recipient if isinstance(recipient, str) else {"subscriberId": recipient.subscriber_id, **recipient.members}


def _payload_bytes(event: TriggerEvent) -> int:
    return len(_json({name: value for name, value in event.payload.items() if name != "attachments"}))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def pack(events: Sequence[EncodedEvent]) -> Iterator[list[EncodedEvent]]:
    """Group events, in order, into requests of at most 100 events and about 500 KB; a larger event stands alone."""
    group: list[EncodedEvent] = []
    size_bytes = _BULK_FRAME_BYTES
    for event in events:
        event_bytes = len(event.body) + 1
        if group and (len(group) == EVENTS_PER_BULK_REQUEST or size_bytes + event_bytes > BULK_LIMIT_BYTES):
            yield group
            group, size_bytes = [], _BULK_FRAME_BYTES
        group.append(event)
        size_bytes += event_bytes
    if group:
        yield group


def bulk_body(events: Sequence[EncodedEvent]) -> bytes:
    """The body of one bulk request."""
    return b'{"events":[' + b",".join(event.body for event in events) + b"]}"
