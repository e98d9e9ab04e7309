"""However many deliveries there are, few of their calls are with Novu, and none waits for a connection."""

import asyncio

import httpx

from shared.novu.idempotency import IdempotencyKeys
from shared.novu.trigger import CALLS_AT_ONCE, NovuTrigger
from shared.ports import TriggerAccepted
from tests.contract.novu.events import events


async def test_calls_of_many_deliveries_take_turns() -> None:
    under_way, most = 0, 0

    async def novu(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(201, json={"data": {"acknowledged": True, "status": "processed", "transactionId": "t"}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(novu), base_url="http://novu.test") as client:
        trigger = NovuTrigger(client, IdempotencyKeys("a-key"), singly=True)

        results = await asyncio.gather(*(trigger.trigger(events(10)) for _ in range(20)))

    assert results == [[TriggerAccepted()] * 10] * 20
    assert most == CALLS_AT_ONCE
