"""Reading a JSON body that a stranger sent: bounded, and only what a database row can hold."""

import math
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from functions.problems import Problem, ProblemCode

MAX_BODY_BYTES = 256 * 1024
"""Half of what Novu takes for an event, which is the payload and one chunk of the recipients."""


async def read_json(request: Request) -> Any:
    """The body's value.

    Raises:
        Problem: `unsupported_media_type`, `body_too_large` or `invalid_json`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
    body = await read_bounded(request)
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        # The reason would quote the body.
        raise Problem(ProblemCode.INVALID_JSON, "the body is not JSON, or nests too deeply") from None
    if not all(map(_can_be_stored, _scalars(value))):
        raise Problem(ProblemCode.INVALID_JSON, "the body holds the character U+0000 or a number without bounds")
    return value


async def read_bounded(request: Request) -> bytes:
    """The raw body. Stops reading as soon as it is too much, whatever Content-Length promised.

    Raises:
        Problem: `body_too_large`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Problem(ProblemCode.BODY_TOO_LARGE, f"the body may have {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _scalars(value: Any) -> Iterator[Any]:
    """Every key and every value that is no container."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as members:
                yield from members.keys()
                waiting.extend(members.values())
            case list() as items:
                waiting.extend(items)
            case scalar:
                yield scalar


def _can_be_stored(scalar: Any) -> bool:
    """PostgreSQL's JSON has no U+0000; 1e999 is read as infinity, which JSON cannot write."""
    if isinstance(scalar, str):
        return "\x00" not in scalar
    return not isinstance(scalar, float) or math.isfinite(scalar)
