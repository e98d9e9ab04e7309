"""Outcomes as HTTP answers: status, `Content-Range`, body."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from stack.edge.rest.database import Outcome
from stack.edge.rest.errors import JSON_CONTENT_TYPE, invalid_range
from stack.edge.rest.negotiation import Page, Profile
from stack.edge.rest.preferences import Preferences

_SINGLE_OBJECT_CONTENT_TYPE = "application/vnd.pgrst.object+json; charset=utf-8"


def read_answer(outcome: Outcome, page: Page, headers: Mapping[str, str], *, with_body: bool) -> Response:
    """200, or 206 where the count says there is more. Raises PGRST103 for an offset past the end."""
    total, last = outcome.total, page.offset + outcome.row_count - 1
    if total is not None and page.offset > total:
        raise invalid_range(f"An offset of {page.offset} was requested, but there are only {total} rows.")
    partial = total is not None and outcome.row_count < total
    ranged = {"Content-Range": content_range(page.offset, last, total), **headers}
    return Response(outcome.body if with_body else None, 206 if partial else 200, ranged)


def insert_answer(outcome: Outcome, table: str, preferences: Preferences, headers: Mapping[str, str]) -> Response:
    """201, or 200 for an upsert that inserted nothing."""
    merged_only = (
        preferences.resolution == "merge-duplicates" and outcome.inserted is not None and outcome.inserted <= 0
    )
    answer = {"Content-Range": content_range(1, 0, outcome.row_count if preferences.counts else None), **headers}
    if outcome.location is not None and outcome.row_count == 1:
        keys = dict(key.split("=", 1) for key in outcome.location)
        answer["Location"] = f"/{table}?{urlencode(keys)}"
    body = outcome.body if preferences.returning == "representation" else None
    return Response(body, 200 if merged_only else 201, answer)


def change_answer(
    outcome: Outcome, preferences: Preferences, headers: Mapping[str, str], *, shows_range: bool
) -> Response:
    """An update (which shows the range of rows) or a delete: 200 with the rows, 204 without."""
    last = outcome.row_count - 1 if shows_range else -1
    total = outcome.row_count if preferences.counts else None
    ranged = {"Content-Range": content_range(0, last, total), **headers}
    if preferences.returning == "representation":
        return Response(outcome.body, 200, ranged)
    return Response(None, 204, ranged)


def content_headers(profile: Profile, *, singular: bool) -> dict[str, str]:
    """The headers that go with a body."""
    content_type = _SINGLE_OBJECT_CONTENT_TYPE if singular else JSON_CONTENT_TYPE
    return {"Content-Type": content_type} | ({"Content-Profile": profile.schema} if profile.asked_for else {})


def content_range(first: int, last: int, total: int | None) -> str:
    rows = f"{first}-{last}" if first <= last and total != 0 else "*"
    return f"{rows}/{'*' if total is None else total}"
