"""Novu's word for a refusal, freed of anything personal: reasons are stored and logged. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.ports import TriggerEvent

LONGEST_REASON = 200
"""Characters."""

_SHORTEST_REDACTED = 3
"""Shorter values say nothing about a person, and would tear holes into every text."""

_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
"""Novu's own words look like this: `workflow_not_found`."""


def reason_of_refused_request(status: int, answer: Any, event: TriggerEvent) -> str:
    """Why Novu answered a request for this event with 400, 413 or 422.

    Reads `message` and the messages of `errors`; never a failed value, which Novu repeats beside them.
    """
    if not isinstance(answer, Mapping):
        return f"HTTP {status}"
    texts = [*_texts(answer.get("message")), *_error_messages(answer.get("errors"))]
    return _bounded("; ".join(dict.fromkeys(texts)), event) or f"HTTP {status}"


def reason_of_refused_item(status: str, error: Any, event: TriggerEvent) -> str:
    """Why Novu took the request but will not process this event: its status, or the text of its error."""
    text = "; ".join(_texts(error))
    if status == "error":
        return _bounded(text, event) or status
    return _bounded(f"{status}: {text}" if text else status, event)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


def _error_messages(errors: Any) -> Iterator[str]:
    """The messages of both shapes: a mapping of field to messages, and a list of objects with a message each."""
    if isinstance(errors, Mapping):
        for details in errors.values():
            if isinstance(details, Mapping):
                yield from _texts(details.get("messages"))
    elif isinstance(errors, list):
        for details in errors:
            if isinstance(details, Mapping):
                yield from _texts(details.get("message"))


def _bounded(text: str, event: TriggerEvent) -> str:
    if not _CODE.fullmatch(text):
        for value in sorted(_personal_values(event), key=len, reverse=True):
            text = text.replace(value, "[...]")
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."


def _personal_values(event: TriggerEvent) -> set[str]:
    leaves = _leaves([list(event.recipients), dict(event.payload), dict(event.overrides)])
    return {leaf for leaf in leaves if len(leaf) >= _SHORTEST_REDACTED}


def _leaves(value: Any) -> Iterator[str]:
    """Every text and number in a JSON value, without recursion: depth is the sender's to choose."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield str(value)
