"""What Novu demands of an event, and what it says when it is not given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stack.novu_sink.answers import Refused

RECIPIENTS_PER_EVENT = 100
EVENTS_PER_REQUEST = 100
EVENT_LIMIT_BYTES = 512 * 1024
BODY_LIMIT_BYTES = 20 * 1024 * 1024
"""What Novu's body parser reads at most; its attachments travel in the body."""


def parse_object(body: bytes) -> dict[str, Any]:
    """The body as JSON.parse reads it: no NaN, no Infinity, UTF-8 only.

    Raises:
        Refused: 400, it is no JSON object.
    """
    try:
        content = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "Unexpected token in JSON") from None
    if not isinstance(content, dict):
        raise Refused(400, "Unexpected token in JSON")
    return content


def require_valid(event: Mapping[str, Any]) -> None:
    """Check a single event.

    Raises:
        Refused: 422 with the complaints of each field, or 413.
    """
    complaints = find_complaints(event)
    if complaints:
        raise _validation_error(complaints, event)


def require_event_list(content: Mapping[str, Any]) -> list[Any]:
    """The events of a bulk request. Novu looks into each of them later, one by one.

    Raises:
        Refused: 422, there are none, or more than 100.
    """
    events = content.get("events")
    complaints = []
    if not isinstance(events, list):
        complaints.append("events must be an array")
    elif not events:
        complaints.append("events should not be empty")
    elif len(events) > EVENTS_PER_REQUEST:
        complaints.append(f"events must contain no more than {EVENTS_PER_REQUEST} elements")
    if complaints:
        raise _validation_error({"events": complaints}, {})
    assert isinstance(events, list)
    return events


def find_complaints(event: Any) -> dict[str, list[str]]:
    """Each wrong field of the event with class-validator's words for it; empty if the event is well-formed."""
    if not isinstance(event, Mapping):
        return {"event": ["event must be an object"]}
    complaints: dict[str, list[str]] = {}
    name = event.get("name")
    if not isinstance(name, str):
        complaints["name"] = ["name must be a string"]
    elif not name:
        complaints["name"] = ["name should not be empty"]
    to = event.get("to")
    if to is None:
        complaints["to"] = ["to should not be null or undefined"]
    elif isinstance(to, list) and len(to) > RECIPIENTS_PER_EVENT:
        complaints["to"] = [f"to must contain no more than {RECIPIENTS_PER_EVENT} elements"]
    elif not isinstance(to, str | list | Mapping):
        complaints["to"] = ["to must be a subscriber, a topic or a list of them"]
    for field in ("payload", "overrides"):
        if event.get(field) is not None and not isinstance(event[field], Mapping):
            complaints[field] = [f"{field} must be an object"]
    if event.get("transactionId") is not None and not isinstance(event["transactionId"], str):
        complaints["transactionId"] = ["transactionId must be a string"]
    return complaints


def require_size(event: Any, index: int | None = None) -> None:
    """Hold one event to 512 KB, its attachments excluded; `index` is its place in a bulk request.

    Raises:
        Refused: 413.
    """
    size_bytes = _size_bytes(event)
    if size_bytes <= EVENT_LIMIT_BYTES:
        return
    limit = f"exceeds maximum allowed size of {EVENT_LIMIT_BYTES} bytes (512KB)"
    note = "Note: Attachments are excluded from this limit."
    if index is None:
        raise Refused(413, f"Payload size ({size_bytes} bytes) {limit}. {note}")
    name = event.get("name") if isinstance(event, Mapping) else None
    raise Refused(
        413, f'Event at index {index} (workflow: "{name}") has payload size ({size_bytes} bytes) {limit}. {note}'
    )


def valid_recipients(to: Any) -> list[str]:
    """The subscriber ids, and the keys of topics, that Novu can make something of."""
    found = []
    for recipient in to if isinstance(to, list) else [to]:
        key = recipient
        if isinstance(recipient, Mapping):
            key = recipient.get("subscriberId", recipient.get("topicKey"))
        if isinstance(key, str) and key.strip():
            found.append(key.strip())
    return found


def _size_bytes(event: Any) -> int:
    if isinstance(event, Mapping) and isinstance(event.get("payload"), Mapping):
        payload = {key: value for key, value in event["payload"].items() if key != "attachments"}
        event = {**event, "payload": payload}
    return len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))


def _validation_error(complaints: Mapping[str, list[str]], event: Mapping[str, Any]) -> Refused:
    errors = {field: {"messages": messages, "value": event.get(field)} for field, messages in complaints.items()}
    return Refused(422, "Validation Error", errors=errors)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
