"""A request, understood as far as its own words go: before the catalogue or the database is looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from stack.edge.authentication import identify
from stack.edge.rest.database import Context
from stack.edge.rest.negotiation import Page, Profile, negotiate_page, negotiate_profile, wants_single_object
from stack.edge.rest.preferences import Preferences, parse_preferences
from stack.edge.rest.query_string import Query, parse_query

READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Asked:
    """`target` is the path below /rest/v1, by its parts: a table's name, or "rpc" and a function's."""

    method: str
    target: tuple[str, ...]
    query: Query
    page: Page
    profile: Profile
    preferences: Preferences
    singular: bool
    context: Context
    content_type: str
    body: bytes

    @property
    def is_reading(self) -> bool:
        return self.method in READING


async def understand(request: Request, secret: str, exposed_schemas: Sequence[str]) -> Asked:
    """Read `request`. Raises RestError for a token, header or query string that is refused or not implemented."""
    identity = identify(request.headers.get("authorization"), secret)
    method, headers = request.method, request.headers
    path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    target = tuple(part for part in path.split("/") if part)
    profile = negotiate_profile(method, headers, exposed_schemas)
    preferences = parse_preferences(headers.getlist("prefer"))
    singular = wants_single_object(headers)
    takes_arguments = target[:1] == ("rpc",) and method in READING
    query = parse_query(request.scope["query_string"].decode("ascii"), with_arguments=takes_arguments)
    return Asked(
        method=method,
        target=target,
        query=query,
        page=negotiate_page(method, headers, query),
        profile=profile,
        preferences=preferences,
        singular=singular,
        context=Context(identity, profile.schema, method, path, json.dumps(dict(headers))),
        content_type=headers.get("content-type", ""),
        body=await request.body(),
    )
