"""Addresses and credentials, seen at Novu's end: what a person then gets, and what Novu has of them."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.notification.recipient import ProviderCredentials, Recipient
from shared.novu import NovuTrigger
from shared.novu.packing import encode
from shared.novu.subscribers import NovuSubscribers, SubscriberUnavailable
from shared.ports import TriggerAccepted, TriggerEvent, TriggerFault, TriggerRefused
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess


@pytest.fixture
async def subscribers(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[NovuSubscribers]:
    headers = {"Authorization": f"ApiKey {SECRET_KEY}"}
    async with httpx.AsyncClient(base_url=sink.url, headers=headers, timeout=15, verify=tls) as client:
        yield NovuSubscribers(client)


def event(*recipients: str | Recipient, transaction_id: str = "t1") -> TriggerEvent:
    return TriggerEvent("welcome", recipients, {"n": 1}, {}, transaction_id)


async def test_an_address_that_goes_along_is_what_novu_has_afterwards(
    trigger: NovuTrigger, subscribers: NovuSubscribers, sink: SinkProcess
) -> None:
    ada = Recipient("ada", {"email": "ada@example.org", "firstName": "Ada"})

    results = await trigger.trigger(
        [event("bob", ada), event(Recipient("ada", {"phone": "+44 1"}), transaction_id="t2")]
    )
    sink.ends("t2")
    found = await subscribers.read("ada")

    assert results == [TriggerAccepted()] * 2
    assert found is not None
    assert (found["email"], found["firstName"], found["phone"]) == ("ada@example.org", "Ada", "+44 1")


async def test_credentials_of_somebody_new_are_taken_with_the_address_and_replaced_later(
    subscribers: NovuSubscribers,
) -> None:
    def tokens(*values: str) -> Recipient:
        return Recipient(
            "auth0|ada", {"locale": "en_GB"}, (ProviderCredentials("fcm", {"deviceTokens": list(values)}),)
        )

    first = await subscribers.give_credentials(tokens("a", "b"))
    second = await subscribers.give_credentials(tokens("b"))
    found = await subscribers.read("auth0|ada")

    assert (first, second) == (TriggerAccepted(), TriggerAccepted())
    assert found is not None
    assert found["locale"] == "en_GB"
    assert [each["credentials"]["deviceTokens"] for each in found["channels"]] == [["b"]]


async def test_of_somebody_unknown_novu_has_nothing(subscribers: NovuSubscribers) -> None:
    assert await subscribers.read("nobody") is None


@pytest.mark.parametrize(
    ("status", "kind"), [(422, TriggerRefused), (404, TriggerRefused), (401, TriggerFault), (500, TriggerFault)]
)
async def test_a_definite_no_is_a_refusal_and_all_else_a_fault(status: int, kind: type) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json={"message": "ada@example.org"}))
    async with httpx.AsyncClient(transport=transport, base_url="http://novu.invalid") as client:
        answer = await NovuSubscribers(client).give_credentials(
            Recipient("ada", {}, (ProviderCredentials("fcm", {"deviceTokens": ["a"]}),))
        )

    assert isinstance(answer, kind)
    assert "ada" not in repr(answer)


async def test_what_novu_does_not_say_is_told_without_the_subscriber() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(500))
    async with httpx.AsyncClient(transport=transport, base_url="http://novu.invalid") as client:
        with pytest.raises(SubscriberUnavailable) as raised:
            await NovuSubscribers(client).read("ada")

    assert str(raised.value) == "Novu answered HTTP 500"


def test_the_limit_is_counted_as_novu_counts_over_the_payload_without_attachments() -> None:
    people = tuple(Recipient(f"u{number}", {"data": {"x": "y" * 6000}}) for number in range(100))
    file = {"file": "QQ" * 350_000, "name": "a.pdf"}

    addressed = encode(0, TriggerEvent("w", people, {"n": 1}, {}, "t"))
    attached = encode(0, TriggerEvent("w", ("u",), {"attachments": [file]}, {}, "t"))
    heavy = encode(0, TriggerEvent("w", ("u",), {"n": "x" * 530_000}, {}, "t"))

    assert [it.is_too_large for it in (addressed, attached, heavy)] == [False, False, True]
    assert json.loads(addressed.body)["to"][0]["subscriberId"] == "u0"
