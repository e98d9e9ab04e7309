"""The JSON that Novu answers with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse


class AsciiJSONResponse(JSONResponse):
    """JSON that can carry what JSON can: half a surrogate pair, which was sent escaped, goes back escaped."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


class Refused(Exception):
    """The whole request is refused: HTTP status, message and, for a failed validation, each field's complaints."""

    def __init__(
        self, status: int, message: str, *, errors: Mapping[str, Any] | None = None, retry_after: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.retry_after = retry_after


def refusal(refused: Refused, path: str) -> JSONResponse:
    """What Novu's exception filter writes."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content: dict[str, Any] = {
        "statusCode": refused.status,
        "timestamp": now,
        "path": path,
        "message": refused.message,
    }
    if refused.errors is not None:
        content["errors"] = dict(refused.errors)
    headers = {} if refused.retry_after is None else {"Retry-After": refused.retry_after}
    return AsciiJSONResponse(content, refused.status, headers)


def data(content: Any, status: int) -> JSONResponse:
    """What Novu's response interceptor writes around every result."""
    return AsciiJSONResponse({"data": content}, status)
