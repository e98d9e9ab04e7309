"""The adapters keep within the sink's rate, by tokens; what would be too much is put off, and never asked."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.notification.recipient import ProviderCredentials, Recipient
from shared.novu import NovuTrigger
from shared.novu.idempotency import IdempotencyKeys
from shared.novu.rates import Plan, RateKeeper, limits_of
from shared.novu.subscribers import NovuSubscribers
from shared.ports import CancelFailed, FaultCode, RateCategory, TriggerAccepted, TriggerFault
from tests.contract.novu.events import events
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess
from tests.unit.novu.rates.doubles import SharedTokens

ADA = Recipient("ada", {}, (ProviderCredentials("fcm", {"deviceTokens": ["one"]}),))


def keeper(plan: Plan = "unlimited", **own: float) -> RateKeeper:
    figures: dict[RateCategory, float | None] = {
        "trigger": own.get("trigger"),
        "configuration": own.get("configuration"),
    }
    return RateKeeper(SharedTokens(), limits_of(plan, figures), probe_seconds=0.2)


@pytest.fixture
async def client(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"ApiKey {SECRET_KEY}"}
    async with httpx.AsyncClient(base_url=sink.url, headers=headers, timeout=15, verify=tls) as client:
        yield client


async def test_on_a_metered_plan_nothing_is_sent_in_bulk_and_nothing_is_refused(
    client: httpx.AsyncClient, sink: SinkProcess
) -> None:
    sink.settings(plan="free")

    results = await NovuTrigger(client, IdempotencyKeys(SECRET_KEY), keeper("free")).trigger(events(150))

    assert results == [TriggerAccepted()] * 150
    assert {(request["path"], request["answer"]) for request in sink.requests()} == {("/v1/events/trigger", 201)}


async def test_the_rate_is_learned_from_the_first_answer(client: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="free")
    rates = keeper()
    trigger = NovuTrigger(client, IdempotencyKeys(SECRET_KEY), rates)

    await trigger.trigger(events(10))
    await trigger.trigger([*events(10)])

    assert rates.per_second("trigger") == 57
    assert sink.paths() == ["trigger/bulk", *["trigger"] * 10]


async def test_where_tokens_gather_quickly_full_bulks_go(client: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="enterprise")

    results = await NovuTrigger(client, IdempotencyKeys(SECRET_KEY), keeper("enterprise")).trigger(events(103))

    assert results == [TriggerAccepted()] * 103
    assert sorted(sink.paths()) == ["trigger", "trigger", "trigger", "trigger/bulk"]


async def test_events_without_a_token_in_time_are_put_off(client: httpx.AsyncClient, sink: SinkProcess) -> None:
    trigger = NovuTrigger(client, IdempotencyKeys(SECRET_KEY), keeper(trigger=20.0), patience_seconds=0.3)

    results = await trigger.trigger(events(200))

    sent = results.count(TriggerAccepted())
    assert 0 < sent < 100, "in five seconds of waiting they would have gathered"
    assert len(sink.requests()) == sent
    put_off = [result for result in results if isinstance(result, TriggerFault)]
    assert {fault.code for fault in put_off} == {FaultCode.NOVU_RATE}
    assert all(fault.retry_after_seconds and fault.retry_after_seconds >= 1 for fault in put_off)


@pytest.mark.parametrize("payment", ["events_used_up", "paused"])
async def test_payment_required_concerns_every_request_until_one_finds_out_that_it_is_not(
    client: httpx.AsyncClient, sink: SinkProcess, payment: str
) -> None:
    sink.settings(payment=payment)
    trigger = NovuTrigger(client, IdempotencyKeys(SECRET_KEY), keeper(), patience_seconds=0.1)

    first = await trigger.trigger(events(250))
    second = await trigger.trigger(events(250))
    with pytest.raises(CancelFailed):
        await trigger.cancel("t1")

    answers = [request["answer"] for request in sink.requests()]
    assert answers == [402] * len(answers)
    assert len(answers) <= 3  # of 501: the first, and who finds out whether it is over
    for results in (first, second):
        assert len(results) == 250
        assert {result.code for result in results if isinstance(result, TriggerFault)} == {
            FaultCode.NOVU_PAYMENT_REQUIRED
        }
    assert isinstance(first[0], TriggerFault)
    assert "billing page" in first[0].reason

    sink.settings(payment="ok")
    deadline = time.monotonic() + 60
    while (await trigger.trigger(events(1)))[0] != TriggerAccepted():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert await trigger.trigger(events(250)) == [TriggerAccepted()] * 250


async def test_credentials_have_tokens_of_their_own(client: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="free")
    rates = keeper("free")
    subscribers = NovuSubscribers(client, rates)

    assert await subscribers.give_credentials(ADA) == TriggerAccepted()
    await rates.heed("configuration", 429, httpx.Headers({"Retry-After": "30"}))
    put_off = await subscribers.give_credentials(ADA)

    assert isinstance(put_off, TriggerFault)
    assert put_off.code is FaultCode.NOVU_RATE
    assert await NovuTrigger(client, IdempotencyKeys(SECRET_KEY), rates).trigger(events(1)) == [TriggerAccepted()]
