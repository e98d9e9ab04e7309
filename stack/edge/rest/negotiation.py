"""What the headers of a request ask for: schema, media type, range of rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from stack.edge.rest.errors import (
    invalid_range,
    not_implemented,
    unacceptable_media_type,
    unexposed_schema,
)
from stack.edge.rest.query_string import Query

MAX_ROWS = 1000
_JSON = frozenset({"application/json", "*/*", "application/*", ""})
_SINGULAR = frozenset({"application/vnd.pgrst.object+json", "application/vnd.pgrst.object"})
_UNIMPLEMENTED = (
    "application/vnd.pgrst.array",
    "application/vnd.pgrst.plan",
    "application/geo+json",
    "application/octet-stream",
    "application/openapi+json",
    "text/csv",
    "text/plain",
    "text/xml",
)
_RANGE = re.compile(r"([0-9]+)-([0-9]*)")


@dataclass(frozen=True)
class Profile:
    """The schema a request works in, and whether it said so itself."""

    schema: str
    asked_for: bool


@dataclass(frozen=True)
class Page:
    """How many rows at most, from which on. `limit` never exceeds MAX_ROWS."""

    limit: int
    offset: int


def negotiate_profile(method: str, headers: Headers, exposed: Sequence[str]) -> Profile:
    """`Accept-Profile` for reading, `Content-Profile` for the rest; the first exposed schema without either."""
    schema = headers.get("accept-profile" if method in {"GET", "HEAD"} else "content-profile")
    if schema is None:
        return Profile(exposed[0], asked_for=False)
    if schema not in exposed:
        raise unexposed_schema(schema, exposed)
    return Profile(schema, asked_for=True)


def wants_single_object(headers: Headers) -> bool:
    """Whether the client wants one object instead of an array, of the media types it accepts in their order."""
    accept = headers.get("accept", "")
    for media_range in accept.split(","):
        media_type, _, options = media_range.strip().partition(";")
        if media_type in _JSON:
            return False
        if "nulls=stripped" in options.replace(" ", ""):
            raise not_implemented("nulls=stripped")
        if media_type in _SINGULAR:
            return True
        if media_type.startswith(_UNIMPLEMENTED):
            raise not_implemented(f"answers of type {media_type}")
    raise unacceptable_media_type(accept)


def negotiate_page(method: str, headers: Headers, query: Query) -> Page:
    """The rows asked for by `limit` and `offset` and, of a GET, by the `Range` header: what both allow."""
    if query.limit is not None and query.limit < 0:
        raise invalid_range("Limit should be greater than or equal to zero.")
    first = max(query.offset, 0)
    last = None if query.limit is None else first + query.limit - 1
    asked = _RANGE.fullmatch(headers.get("range", "")) if method == "GET" else None
    if asked is not None:
        first = max(first, int(asked[1]))
        upper = int(asked[2]) if asked[2] else None
        if upper is not None:
            last = upper if last is None else min(last, upper)
        if last is not None and last < first and query.limit != 0:
            details = "The lower boundary must be lower than or equal to the upper boundary in the Range header."
            raise invalid_range(details)
    limit = MAX_ROWS if last is None else min(max(last - first + 1, 0), MAX_ROWS)
    return Page(limit, first)
