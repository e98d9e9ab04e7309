"""Reads a request's body as Novu's parser does."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from stack.novu_sink.api.answers import Refused

BODY_LIMIT_BYTES = 20 * 1024 * 1024
"""What Novu's body parser reads at most; its attachments travel in the body."""

_QUOTED_CHARACTERS = 10


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        Refused: 413, it is larger than Novu's parser reads.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT_BYTES:
            raise Refused(413, "request entity too large")
    return bytes(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The body as JSON.parse reads it: no NaN, no Infinity, UTF-8 only. A list counts as an object without members.

    Raises:
        Refused: 400 with the beginning of the body, it is no JSON object.
    """
    try:
        content = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _not_json(body) from None
    if isinstance(content, list):
        return {}
    if not isinstance(content, dict):
        raise _not_json(body)
    return content


def _not_json(body: bytes) -> Refused:
    text = body.decode(errors="replace")
    if not text:
        return Refused(400, "Unexpected end of JSON input", error="Bad Request")
    beginning = text[:_QUOTED_CHARACTERS] + ("..." if len(text) > _QUOTED_CHARACTERS else "")
    return Refused(400, f'Unexpected token in JSON: "{beginning}" is not valid JSON', error="Bad Request")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
