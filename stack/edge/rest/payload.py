"""The body of a write or a call: kept as text for PostgreSQL, looked into only for its names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from stack.edge.rest.errors import invalid_body, not_implemented


@dataclass(frozen=True)
class Payload:
    """JSON `text`, the column or argument `names` it carries, and whether it is an array of objects."""

    text: str
    names: tuple[str, ...]
    is_array: bool


def read_payload(body: bytes, content_type: str, columns: Sequence[str] | None, *, empty_is_object: bool) -> Payload:
    """With `columns`, the client has named them and the text is not looked into: PostgreSQL alone parses it.

    Raises RestError PGRST102 for what is not JSON, 501 for other kinds of body.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in {"", "application/json"}:
        raise not_implemented(f"bodies of type {media_type}")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise invalid_body("Empty or invalid json") from error
    if not text.strip() and empty_is_object:
        text = "{}"
    if columns is not None:
        return Payload(text, tuple(columns), text.lstrip(" \t\r\n").startswith("["))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_body("Empty or invalid json") from error
    if isinstance(document, dict):
        return Payload(text, tuple(document), is_array=False)
    if isinstance(document, list):
        return Payload(text, _uniform_names(document), is_array=True)
    raise not_implemented("bodies that are neither a JSON object nor an array")


def _uniform_names(rows: Sequence[object]) -> tuple[str, ...]:
    if not rows:
        return ()
    objects = [row for row in rows if isinstance(row, dict)]
    if len(objects) != len(rows) or any(row.keys() != objects[0].keys() for row in objects):
        raise invalid_body("All object keys must match")
    return tuple(objects[0])
