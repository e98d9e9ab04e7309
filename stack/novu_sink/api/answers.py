"""The JSON that Novu answers with."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse


class AsciiJSONResponse(JSONResponse):
    """JSON that can carry what JSON can: half a surrogate pair, which was sent escaped, goes back escaped."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


class Refused(Exception):
    """The whole request is refused. `members` stand beside Novu's `statusCode`, `timestamp`, `path` and `message`."""

    def __init__(
        self,
        status: int,
        message: str | Sequence[str],
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
        **more_members: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.members = {**(members or {}), **more_members}


def refusal(refused: Refused, path: str) -> JSONResponse:
    """What Novu's exception filter writes."""
    content: dict[str, Any] = {
        "statusCode": refused.status,
        "timestamp": timestamp(datetime.now(UTC).timestamp()),
        "path": path,
        "message": refused.message,
        **refused.members,
    }
    if refused.status == 500:
        content["errorId"] = secrets.token_hex(16)
    return AsciiJSONResponse(content, refused.status, refused.headers)


def server_error() -> Refused:
    """What a fault inside Novu looks like."""
    return Refused(500, "Internal server error, contact support and provide them with the errorId")


def validation_error(generation: str, complaints: Sequence[str]) -> Refused:
    """A body of the wrong shape: 400 with a list in 2024, 422 with everything under `general` since."""
    if generation == "2024":
        return Refused(400, list(complaints), error="Bad Request")
    errors = {"general": {"messages": list(complaints), "value": "No Value Recorded"}}
    return Refused(422, "Validation Error", errors=errors)


def data(content: Any, status: int = 200) -> JSONResponse:
    """What Novu's response interceptor writes around every result."""
    return AsciiJSONResponse({"data": content}, status)


def timestamp(seconds: float) -> str:
    """Unix seconds as Novu writes an instant."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> float:
    """The Unix seconds of what `timestamp` wrote."""
    return datetime.fromisoformat(text).timestamp()


def new_id() -> str:
    """An identifier as MongoDB makes them: 24 hexadecimal digits."""
    return secrets.token_hex(12)
