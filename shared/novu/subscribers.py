"""`NovuSubscribers`: what Novu has of a subscriber, and giving it the credentials of push and chat providers."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from shared.bounded_answers import bound_answers
from shared.keys import Key, novu_auth
from shared.notification.recipient import ProviderCredentials, Recipient
from shared.novu import measured
from shared.novu.answers import KEY_NAME, fault_of, reason_of_fault
from shared.novu.rates import UNMETERED
from shared.ports import NovuRates, TriggerAccepted, TriggerFault, TriggerRefused, TriggerResult

REQUEST_TIMEOUT = httpx.Timeout(15.0, connect=5.0)

LONGEST_ANSWER_BYTES = 1024 * 1024

PATIENCE_SECONDS = 10.0
"""For so long a request waits for its token; then it is put off."""

_ALL_PATH = "/v2/subscribers"
_ONE_PATH = "/v2/subscribers/{subscriber_id}"
_CREDENTIALS_PATH = "/v1/subscribers/{subscriber_id}/credentials"
_REFUSED = frozenset({400, 404, 409, 413, 422})


class SubscriberUnavailable(Exception):
    """Novu did not say what it has; the message is for an operator and quotes nothing of the subscriber."""


class NovuSubscribers:
    """Port `SubscriberCredentials` on Novu's HTTP interface; it never repeats a request. Costs configuration tokens."""

    def __init__(self, client: httpx.AsyncClient, rates: NovuRates = UNMETERED, *, key_name: str = KEY_NAME) -> None:
        """`client` carries the base URL, the key and the time-outs (see `open_subscribers`). `key_name`: the variable
        that holds the key, for faults that are about it.
        """
        self._client = client
        self._key_name = key_name
        self._rates = rates

    async def read(self, subscriber_id: str) -> Mapping[str, Any] | None:
        """The subscriber as Novu has it; None if it has none of this id.

        Raises:
            SubscriberUnavailable: no connection, a wrong key, an answer that cannot be read.
        """
        try:
            response = await self._request("GET", _ONE_PATH, subscriber_id)
        except httpx.RequestError as error:
            raise SubscriberUnavailable(f"Novu did not answer: {type(error).__name__}") from None
        except _NotNow as not_now:
            raise SubscriberUnavailable(f"Novu is not asked now: {not_now.fault.reason}") from None
        if response.status_code == 404:
            return None
        if not response.is_success:
            raise SubscriberUnavailable(f"Novu answered {reason_of_fault(response, self._key_name)}")
        try:
            found = json.loads(response.content)["data"]
        except (ValueError, RecursionError, KeyError, TypeError):
            found = None
        if not isinstance(found, dict):
            raise SubscriberUnavailable("Novu's answer cannot be read")
        return found

    async def give_credentials(self, recipient: Recipient) -> TriggerResult:
        """Replace what Novu has of each of these providers. One that Novu does not know yet is made. Never raises."""
        for credentials in recipient.credentials:
            answer = await self._give(recipient, credentials)
            if not isinstance(answer, TriggerAccepted):
                return answer
        return TriggerAccepted()

    async def _give(self, recipient: Recipient, credentials: ProviderCredentials) -> TriggerResult:
        body: dict[str, Any] = {"providerId": credentials.provider_id, "credentials": dict(credentials.values)}
        if credentials.integration_identifier is not None:
            body["integrationIdentifier"] = credentials.integration_identifier
        try:
            response = await self._request("PUT", _CREDENTIALS_PATH, recipient.subscriber_id, body)
            if response.status_code == 404:
                made = await self._request(
                    "POST", _ALL_PATH, "", {"subscriberId": recipient.subscriber_id, **recipient.members}
                )
                if not made.is_success:
                    return self._answer(made)
                response = await self._request("PUT", _CREDENTIALS_PATH, recipient.subscriber_id, body)
        except httpx.RequestError as error:
            return TriggerFault(type(error).__name__)
        except _NotNow as not_now:
            return not_now.fault
        return self._answer(response)

    async def _request(
        self, method: str, template: str, subscriber_id: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        path = template.format(subscriber_id=quote(subscriber_id, safe=""))
        put_off = await self._rates.take("configuration", "subscribers", within_seconds=PATIENCE_SECONDS)
        if put_off is not None:
            raise _NotNow(put_off.fault())
        with measured.request(method, template) as note:
            response = note(await self._client.request(method, path, json=body))
        await self._rates.heed("configuration", response.status_code, response.headers)
        return response

    def _answer(self, response: httpx.Response) -> TriggerResult:
        if response.is_success:
            return TriggerAccepted()
        if response.status_code in _REFUSED:
            return TriggerRefused(f"HTTP {response.status_code}")
        return fault_of(response, self._key_name)


class _NotNow(Exception):
    """The request was not made."""

    def __init__(self, fault: TriggerFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


@asynccontextmanager
async def open_subscribers(
    api_url: str,
    key: Key | str,
    rates: NovuRates = UNMETERED,
    *,
    key_name: str = KEY_NAME,
    bounds: httpx.Timeout = REQUEST_TIMEOUT,
) -> AsyncIterator[NovuSubscribers]:
    """With a connection pool of its own, closed at the end of the block. Nothing is asked yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Accept": "application/json"},
        auth=novu_auth(key),
        timeout=bounds,
        limits=httpx.Limits(max_connections=10, keepalive_expiry=30.0),
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        yield NovuSubscribers(client, rates, key_name=key_name)
