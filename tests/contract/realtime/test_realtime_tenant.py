"""What becomes of clients when their tenant is changed, suspended or deleted, and when its poller gives up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.contract.realtime.conftest import Database
from tests.contract.realtime.edge_server import Edge, eventually
from tests.contract.realtime.phoenix_client import TOPIC, PhoenixClient, change_request, connected, token


@pytest_asyncio.fixture(autouse=True)
async def no_faults_after(edge: Edge) -> AsyncIterator[None]:
    yield
    await edge.end_faults()


@pytest.mark.parametrize(
    ("becomes", "status", "error"),
    [
        ("changed", 401, "Failed to validate JWT signature"),
        ("suspended", 403, "Realtime was disabled for this tenant"),
        ("deleted", 404, "Tenant not found"),
    ],
)
async def test_each_channel_is_told_the_socket_is_closed_with_1012_and_nobody_comes_back(
    edge: Edge, client: PhoenixClient, becomes: str, status: int, error: str
) -> None:
    await client.subscribe(change_request())
    await client.subscribe(change_request(), topic="realtime:y", ref="2")

    assert (await edge.fault("tenant", becomes=becomes))["affected"] == 1

    told = [await client.receive(), await client.receive()]
    assert {frame["topic"] for frame in told} == {TOPIC, "realtime:y"}
    for frame in told:
        assert (frame["ref"], frame["event"]) == (None, "system")
        assert frame["payload"] == {"message": "Server requested disconnect", "status": "ok", "extension": "system"}
    assert await client.closed() == 1012
    with pytest.raises(InvalidStatus) as refused:
        await connect(edge.websocket(apikey=token()))
    assert refused.value.response.status_code == status
    assert refused.value.response.body == f'{{"error":"{error}"}}'.encode()

    await edge.end_faults()
    async with connected(edge) as again:
        await again.heartbeat()


async def test_a_poller_that_gave_up_confirms_joins_and_sends_nothing_for_good(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))
    await edge.fault("poller_gives_up")
    await edge.fault("kill_slot")

    await client.subscribe(change_request("INSERT"), topic="realtime:y", ref="2")
    await database.execute("insert into notify (state) values ('lost')")
    with pytest.raises(TimeoutError):
        await client.receive(within=0.3)
    await client.heartbeat()

    await edge.end_faults()
    slots = (await edge.state())["counts"]["slots_created"]

    async def polls_again() -> bool:
        return bool((await edge.state())["counts"]["slots_created"] >= slots)

    await eventually(polls_again)
    await edge.polled_anew()
    await database.execute("insert into notify (state) values ('seen')")
    assert (await client.receive_change())["record"]["state"] == "seen"


async def test_a_socket_has_as_many_channels_as_ordered_and_a_refusal_leaves_them_alone(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await edge.fault("limit_channels", channels=1)
    await client.subscribe(change_request("INSERT"))

    await client.send_join(change_request("INSERT"), topic="realtime:y", ref="2")

    refusal = await client.receive()
    assert refusal["payload"]["response"]["reason"] == "ChannelRateLimitReached: Too many channels"
    await database.execute("insert into notify (state) values ('seen')")
    assert (await client.receive())["topic"] == TOPIC
