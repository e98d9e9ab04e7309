"""What Novu holds of a person: the subscriber, messages, and what its queue has yet to take up."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from shared.bounded_answers import bound_answers
from shared.novu.answers import KEY_NAME, reason_of_fault
from shared.novu.rates import UNMETERED
from shared.novu.subscribers import LONGEST_ANSWER_BYTES, REQUEST_TIMEOUT, SubscriberUnavailable
from shared.ports import NovuRates, RateCategory

MESSAGES_PER_PAGE = 50
MOST_MESSAGES = 10_000
ENTRIES_PER_PAGE = 50
MOST_PAGES = 20
TOKEN_WITHIN_SECONDS = 30.0


class PersonAtNovu:
    """One subscriber of one environment. Every method raises SubscriberUnavailable, and is safe to repeat."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        subscriber_id: str,
        rates: NovuRates = UNMETERED,
        *,
        key_name: str = KEY_NAME,
    ) -> None:
        self._client = client
        self._key_name = key_name
        self._id = subscriber_id
        self._path = f"/v2/subscribers/{quote(subscriber_id, safe='')}"
        self._rates = rates

    async def subscriber(self) -> dict[str, Any] | None:
        """As Novu has it; None if it has none."""
        answer = await self._ask("GET", self._path, "configuration")
        return None if answer is None else answer["data"]

    async def delete_subscriber(self) -> bool:
        """False if there was none."""
        return await self._ask("DELETE", self._path, "configuration") is not None

    async def messages(self) -> list[str]:
        """Their ids. Only while Novu knows the subscriber: of another it lists everybody's, or nobody's."""
        found: dict[str, None] = {}
        for page in range(MOST_MESSAGES // MESSAGES_PER_PAGE):
            query = {"subscriberId": self._id, "page": page, "limit": MESSAGES_PER_PAGE}
            entries = (await self._ask("GET", "/v1/messages", "global", query) or {"data": []})["data"]
            found |= {str(it["_id"]): None for it in entries if _whose(it) == self._id}
            if len(entries) < MESSAGES_PER_PAGE:
                break
        return list(found)

    async def delete_messages(self, ids: Iterable[str]) -> int:
        """How many there were still."""
        gone = 0
        for each in ids:
            gone += await self._ask("DELETE", f"/v1/messages/{quote(each, safe='')}", "global") is not None
        return gone

    async def not_taken_up(self, transaction_bases: Iterable[str]) -> set[str]:
        """Those of which Novu shows nothing for this person yet: its worker may make the subscriber anew."""
        waiting = set(transaction_bases)
        for page in range(MOST_PAGES):
            if not waiting:
                break
            query = {"subscriberIds": self._id, "page": page, "limit": ENTRIES_PER_PAGE}
            entries = (await self._ask("GET", "/v1/notifications", "global", query) or {"data": []})["data"]
            shown = [str(it.get("transactionId")) for it in entries if _whose(it) == self._id]
            waiting = {base for base in waiting if not any(it == base or it.startswith(f"{base}.") for it in shown)}
            if len(entries) < ENTRIES_PER_PAGE:
                break
        return waiting

    async def _ask(
        self, method: str, path: str, category: RateCategory, query: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The answer; None for 404."""
        if put_off := await self._rates.take(category, "subscribers", within_seconds=TOKEN_WITHIN_SECONDS):
            raise SubscriberUnavailable(f"Novu is not asked now: {put_off.reason}")
        try:
            response = await self._client.request(method, path, params=query)
        except httpx.RequestError as error:
            raise SubscriberUnavailable(f"Novu did not answer: {type(error).__name__}") from None
        await self._rates.heed(category, response.status_code, response.headers)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not response.is_success:
            raise SubscriberUnavailable(f"Novu answered {reason_of_fault(response, self._key_name)}")
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict | list):
            raise SubscriberUnavailable("Novu's answer cannot be read")
        return answer


def _whose(entry: Any) -> str | None:
    subscriber = entry.get("subscriber") if isinstance(entry, dict) else None
    return subscriber.get("subscriberId") if isinstance(subscriber, dict) else None


@asynccontextmanager
async def open_person(
    api_url: str,
    secret_key: str,
    subscriber_id: str,
    rates: NovuRates = UNMETERED,
    *,
    key_name: str = KEY_NAME,
) -> AsyncIterator[PersonAtNovu]:
    """Nothing is asked yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Authorization": f"ApiKey {secret_key}", "Accept": "application/json"},
        timeout=REQUEST_TIMEOUT,
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        yield PersonAtNovu(client, subscriber_id, rates, key_name=key_name)
