"""`Idempotency-Key`, where it is on: one request is served, the others with its key get its answer."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from stack.novu_sink.api.answers import Refused, refusal

LONGEST_KEY = 255
KEPT_SECONDS = 24 * 3600
IN_PROGRESS_SECONDS = 5 * 60
TAKES_SECONDS = 0.02
"""What serving takes in Novu: whoever asks meanwhile is told that the first one is still in progress."""


@dataclass(slots=True)
class _Entry:
    body_hash: bytes
    until: float
    answer: Response | None = None


class Idempotency:
    """The answers by key; keys are the organisation's, whichever environment they come from."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    async def serve(self, key: str, body: bytes, path: str, serve: Callable[[], Awaitable[Response]]) -> Response:
        """The answer of `serve`, or the one kept under the key.

        Raises:
            Refused: 400, the key is too long; 409, in progress; 422, the key was used with another body.
        """
        if len(key) > LONGEST_KEY:
            text = f'idempotencyKey "{key}" has exceeded the maximum allowed length of {LONGEST_KEY} characters'
            raise Refused(400, text, error="Bad Request")
        now = time.time()
        body_hash = hashlib.sha256(body).digest()
        entry = self._entries.get(key)
        if entry is not None and entry.until > now:
            return _again(entry, key, body_hash)
        self._entries[key] = entry = _Entry(body_hash, now + IN_PROGRESS_SECONDS)
        await asyncio.sleep(TAKES_SECONDS)
        try:
            answer = await serve()
        except Refused as refused:
            answer = refusal(refused, path)
        entry.answer, entry.until = answer, now + KEPT_SECONDS
        answer.headers["Idempotency-Key"] = key
        return answer

    def forget(self) -> None:
        self._entries.clear()


def _again(entry: _Entry, key: str, body_hash: bytes) -> Response:
    if entry.answer is None:
        text = f'Request with key "{key}" is currently being processed. Please retry after 1 second'
        raise Refused(409, text, error="Conflict", headers={"Idempotency-Key": key, "Retry-After": "1"})
    if entry.body_hash != body_hash:
        text = f'Request with key "{key}" is being reused for a different body'
        raise Refused(422, text, error="Unprocessable Entity", headers={"Idempotency-Key": key})
    headers = {"Idempotency-Key": key, "Idempotency-Replay": "true"}
    return Response(entry.answer.body, entry.answer.status_code, headers, "application/json")
