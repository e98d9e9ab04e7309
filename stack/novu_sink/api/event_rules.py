"""What Novu demands of an event, and what it says when it is not given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stack.novu_sink.api.answers import Refused, validation_error

EVENTS_PER_REQUEST = 100
PAYLOAD_LIMIT_BYTES = 512 * 1024


def find_complaints(event: Any) -> list[str]:
    """class-validator's words for each wrong field; empty if the event is well-formed."""
    if not isinstance(event, Mapping):
        return ["event must be an object"]
    complaints = []
    if not isinstance(event.get("name"), str):
        complaints.append("name must be a string")
    to = event.get("to")
    if to is None:
        complaints.append("to should not be null or undefined")
    elif not isinstance(to, str | list | Mapping):
        complaints.append("to must be a string, an object or an array")
    complaints += [
        f"{name} must be an object"
        for name in ("payload", "overrides")
        if event.get(name) is not None and not isinstance(event[name], Mapping)
    ]
    if event.get("transactionId") is not None and not isinstance(event["transactionId"], str):
        complaints.append("transactionId must be a string")
    return complaints


def require_event_list(content: Mapping[str, Any], generation: str) -> list[Any]:
    """The events of a bulk request. Novu looks into each of them later, one by one.

    Raises:
        Refused: 400 (2024) or 422, there are none, or more than 100.
    """
    events = content.get("events")
    if not isinstance(events, list):
        complaint = "events must be an array"
    elif not events:
        complaint = "events must contain at least 1 elements"
    elif len(events) > EVENTS_PER_REQUEST:
        complaint = f"events must contain no more than {EVENTS_PER_REQUEST} elements"
    else:
        return events
    if generation == "2024":
        raise validation_error(generation, [complaint])
    raise Refused(422, "Validation Error", errors={"events": {"messages": [complaint], "value": "No Value Recorded"}})


def require_size(event: Any, index: int | None = None) -> None:
    """Hold one event's payload to 512 KB, its attachments excluded; `index` is its place in a bulk request.

    Raises:
        Refused: 413.
    """
    size_bytes = _payload_bytes(event)
    if size_bytes <= PAYLOAD_LIMIT_BYTES:
        return
    limit = f"exceeds maximum allowed size of {PAYLOAD_LIMIT_BYTES} bytes (512KB)"
    note = "Note: Attachments are excluded from this limit."
    if index is None:
        raise Refused(413, f"Payload size ({size_bytes} bytes) {limit}. {note}")
    name = event.get("name") if isinstance(event, Mapping) else None
    raise Refused(
        413, f'Event at index {index} (workflow: "{name}") has payload size ({size_bytes} bytes) {limit}. {note}'
    )


def choke_on_attachments(payload: Any) -> str | None:
    """Node's text where `attachments` is a list whose members hold no file; None where Novu can read it."""
    attachments = payload.get("attachments") if isinstance(payload, Mapping) else None
    if not isinstance(attachments, list):
        return None
    for attachment in attachments:
        if attachment is None:
            return "Cannot read properties of null (reading 'file')"
        file = attachment.get("file") if isinstance(attachment, Mapping) else None
        if not isinstance(file, str):
            return (
                "The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array "
                "or an Array-like Object. Received undefined"
            )
    return None


def _payload_bytes(event: Any) -> int:
    payload = event.get("payload") if isinstance(event, Mapping) else None
    if not isinstance(payload, Mapping):
        return 0
    counted = {key: value for key, value in payload.items() if key != "attachments"}
    return len(json.dumps(counted, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))
