"""`NovuActivity`: asks Novu what it did with events it took."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from shared.bounded_answers import AnswerRefused, bound_answers
from shared.keys import Key, novu_auth
from shared.novu import measured
from shared.novu.answers import KEY_NAME, reason_of_fault
from shared.novu.rates import UNMETERED
from shared.novu.retry_after import retry_after_seconds
from shared.ports import ActivityPage, ActivityUnavailable, AnswerTooLarge, NovuRates

REQUEST_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

LONGEST_ANSWER_BYTES = 8 * 1024 * 1024
"""Each entry repeats the event's payload for every step. What is larger is asked for in smaller pages."""

PATIENCE_SECONDS = 15.0
"""For a token of Novu's rate."""

_NOTIFICATIONS_PATH = "/v1/notifications"
_MESSAGES_PATH = "/v1/messages"


class NovuActivity:
    """Port `NotificationActivity` on Novu's HTTP interface; it never repeats a request. Each costs one global token."""

    def __init__(self, client: httpx.AsyncClient, rates: NovuRates = UNMETERED, *, key_name: str = KEY_NAME) -> None:
        """`client` carries the base URL, the key and the time-outs (see `open_activity`). `key_name`: the variable that
        holds the key, for faults that are about it.
        """
        self._client = client
        self._key_name = key_name
        self._rates = rates

    async def notifications(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        return await self._read(_NOTIFICATIONS_PATH, transaction_ids, page, limit)

    async def messages(self, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        return await self._read(_MESSAGES_PATH, transaction_ids, page, limit)

    async def _read(self, path: str, transaction_ids: Sequence[str], page: int, limit: int) -> ActivityPage:
        query: list[tuple[str, str | int | float | bool | None]] = [("transactionId", it) for it in transaction_ids]
        query += [("page", page), ("limit", limit)]
        put_off = await self._rates.take("global", "activity", within_seconds=PATIENCE_SECONDS)
        if put_off is not None:
            raise ActivityUnavailable(put_off.reason, retry_after_seconds=put_off.seconds)
        try:
            with measured.request("GET", path) as note:
                response = note(await self._client.get(path, params=httpx.QueryParams(query)))
        except AnswerRefused:
            raise AnswerTooLarge(f"Novu's answer is larger than {LONGEST_ANSWER_BYTES} bytes, or too slow") from None
        except httpx.RequestError as error:
            raise ActivityUnavailable(f"Novu did not answer: {type(error).__name__}") from None
        await self._rates.heed("global", response.status_code, response.headers)
        if not response.is_success:
            raise ActivityUnavailable(
                f"Novu answered {reason_of_fault(response, self._key_name)}",
                retry_after_seconds=retry_after_seconds(response.headers),
            )
        try:
            answer = json.loads(response.content)
            entries, has_more = answer["data"], answer.get("hasMore", False)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise ActivityUnavailable("Novu's answer cannot be read") from None
        if not isinstance(entries, list):
            raise ActivityUnavailable("Novu's answer cannot be read")
        return ActivityPage(tuple(it for it in entries if isinstance(it, dict)), has_more is True)


@asynccontextmanager
async def open_activity(
    api_url: str, key: Key | str, rates: NovuRates = UNMETERED, *, key_name: str = KEY_NAME
) -> AsyncIterator[NovuActivity]:
    """With a connection pool of its own, closed at the end of the block. Nothing is asked yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Accept": "application/json"},
        auth=novu_auth(key),
        timeout=REQUEST_TIMEOUT,
        limits=httpx.Limits(max_connections=2, keepalive_expiry=30.0),
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        yield NovuActivity(client, rates, key_name=key_name)
