"""Faults on request: each does what its name says, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import ValidationError
from realtime.message import ServerMessageAdapter
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.contract.realtime.conftest import Database
from tests.contract.realtime.edge_server import Edge
from tests.contract.realtime.phoenix_client import TOPIC, PhoenixClient, change_request, connected, token


@pytest_asyncio.fixture(autouse=True)
async def no_faults_after(edge: Edge) -> AsyncIterator[None]:
    yield
    await edge.end_faults()


async def test_dropped_sockets_get_no_close_frame(edge: Edge, client: PhoenixClient) -> None:
    await client.heartbeat()

    assert (await edge.fault("drop"))["affected"] == 1

    assert await client.closed() is None


async def test_only_as_many_sockets_are_dropped_as_ordered(edge: Edge, client: PhoenixClient) -> None:
    async with connected(edge) as other:
        await asyncio.gather(client.heartbeat(), other.heartbeat())

        await edge.fault("drop", sockets=1)

        closed = [asyncio.create_task(one.closed()) for one in (client, other)]
        finished, open_still = await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
        assert len(finished) == len(open_still) == 1
        open_still.pop().cancel()


async def test_a_frozen_socket_answers_nothing_not_even_pings_and_thaws_with_nothing_lost(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))

    await edge.fault("freeze", seconds=0.5)
    started = time.monotonic()
    pong = asyncio.ensure_future(await client.connection.ping())
    await client.send("heartbeat", topic="phoenix", ref="hb")
    await database.execute("insert into notify (state) values ('late')")
    with pytest.raises(TimeoutError):
        await client.receive(within=0.3)
    assert not pong.done()

    frames = [await client.receive() for _ in range(2)]
    await pong
    assert {frame["event"] for frame in frames} == {"phx_reply", "postgres_changes"}
    assert time.monotonic() - started >= 0.45


async def test_a_frozen_server_answers_no_handshake(edge: Edge) -> None:
    await edge.fault("freeze", seconds=0.4)
    started = time.monotonic()

    async with connected(edge) as client:
        await client.heartbeat()

    assert time.monotonic() - started >= 0.35


async def test_an_ended_freeze_lets_sockets_and_handshakes_through_at_once(edge: Edge, client: PhoenixClient) -> None:
    await client.heartbeat()
    await edge.fault("freeze", seconds=60)
    await client.send("heartbeat", topic="phoenix", ref="hb")
    handshake = asyncio.create_task(connect(edge.websocket(apikey=token())).__aenter__())

    await edge.end_faults()

    assert (await client.receive())["ref"] == "hb"
    await (await handshake).close()


@pytest.mark.parametrize("code", [1000, 1011, 4000])
async def test_sockets_are_closed_with_the_code(edge: Edge, client: PhoenixClient, code: int) -> None:
    await client.heartbeat()

    await edge.fault("close", code=code, reason="told to")

    assert await client.closed() == code


async def test_a_closed_channel_leaves_the_others_alone(edge: Edge, client: PhoenixClient, database: Database) -> None:
    await client.subscribe(change_request("INSERT"))
    await client.subscribe(change_request("INSERT"), topic="realtime:y", ref="2")

    await edge.fault("phx_close", topic="x")
    assert await client.receive() == {"ref": "1", "event": "phx_close", "topic": TOPIC, "payload": {}}
    await database.execute("insert into notify (state) values ('new')")

    assert (await client.receive())["topic"] == "realtime:y"
    await client.heartbeat()


async def test_a_crashed_channel_is_a_phx_error(edge: Edge, client: PhoenixClient) -> None:
    await client.subscribe(change_request())

    await edge.fault("phx_error")

    assert await client.receive() == {"ref": "1", "event": "phx_error", "topic": TOPIC, "payload": {}}


async def test_a_token_expires_on_request(edge: Edge, client: PhoenixClient) -> None:
    await client.subscribe(change_request())

    await edge.fault("expire_token")

    error, close = await client.receive(), await client.receive()
    assert error["payload"]["message"] == "Token has expired 0 seconds ago"
    assert (close["event"], close["ref"]) == ("phx_close", "1")


async def test_joins_are_refused_as_often_as_ordered(edge: Edge, client: PhoenixClient) -> None:
    reason = "DatabaseLackOfConnections: Database can't accept more connections"
    await edge.fault("refuse_joins", reason=reason, joins=1, delay_seconds=0)

    await client.send_join(config={})
    await client.send_join(config={}, ref="2")

    first, second = await client.receive(), await client.receive()
    assert first["payload"] == {"status": "error", "response": {"reason": reason}}
    assert second["payload"]["status"] == "ok"


async def test_handshakes_are_refused_with_the_status(edge: Edge) -> None:
    await edge.fault("refuse_handshakes", status=503, body='{"error":"away"}', handshakes=1)

    with pytest.raises(InvalidStatus) as refused:
        await connect(edge.websocket(apikey=token()))
    async with connected(edge) as client:
        await client.heartbeat()

    assert (refused.value.response.status_code, refused.value.response.body) == (503, b'{"error":"away"}')


async def test_delayed_events_come_late_and_in_order_even_when_the_delay_has_ended(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))
    await edge.fault("delay_events", delay_seconds=0.4)
    started = time.monotonic()

    await database.execute("insert into notify (state) values ('one')")
    await edge.polled_anew()
    await edge.end_faults()
    await database.execute("insert into notify (state) values ('two')")

    assert [(await client.receive_change())["record"]["state"] for _ in range(2)] == ["one", "two"]
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize("fault", ["lose_events", "rate_limit"])
async def test_events_vanish_while_everything_looks_well(
    edge: Edge, client: PhoenixClient, database: Database, fault: str
) -> None:
    await client.subscribe(change_request("INSERT"))
    await edge.fault(fault, seconds=60)
    assert [active["fault"] for active in (await edge.state())["active"]] == [fault]

    await database.execute("insert into notify (state) values ('lost')")
    await edge.polled_anew()
    await client.heartbeat()
    await edge.end_faults()
    await database.execute("insert into notify (state) values ('seen')")

    assert (await client.receive_change())["record"]["state"] == "seen"


async def test_events_of_one_table_vanish_and_others_come(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))
    await edge.fault("lose_events", seconds=60, table="another")
    await database.execute("insert into notify (state) values ('seen')")
    assert (await client.receive_change())["record"]["state"] == "seen"

    await edge.fault("lose_events", seconds=60, table="notify")
    await database.execute("insert into notify (state) values ('lost')")
    await edge.polled_anew()
    await edge.end_faults()
    await database.execute("insert into notify (state) values ('seen again')")

    assert (await client.receive_change())["record"]["state"] == "seen again"


@pytest.mark.parametrize(
    ("fault", "order"),
    [
        ("malformed_event", {"field": "columns"}),
        ("malformed_event", {"field": "commit_timestamp"}),
        ("unauthorized_event", {}),
    ],
)
async def test_an_event_that_the_client_library_rejects(
    edge: Edge, client: PhoenixClient, fault: str, order: dict[str, Any]
) -> None:
    await client.subscribe(change_request())

    await edge.fault(fault, **order)

    frame = await client.receive()
    assert frame["event"] == "postgres_changes"
    with pytest.raises(ValidationError):
        ServerMessageAdapter.validate_json(client.raw)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/nonsense", {}, 404, "there is no fault 'nonsense'"),
        ("POST", "/freeze", {}, 422, "seconds"),
        ("POST", "/freeze", {"seconds": "long"}, 422, "seconds"),
        ("POST", "/drop", {"socket": 1}, 422, "socket"),
        ("POST", "/close", {"code": 7}, 422, "code"),
        ("DELETE", "/freeze", None, 404, "no fault 'freeze' is in force"),
    ],
)
async def test_a_wrong_order_is_refused_and_says_why(
    edge: Edge, method: str, path: str, body: object, status: int, said: str
) -> None:
    async with httpx.AsyncClient(base_url=edge.http) as http:
        response = await http.request(method, f"/_faults{path}", json=body)

    assert response.status_code == status
    assert said in response.text


async def test_the_list_of_faults_counts_what_is_there(edge: Edge, client: PhoenixClient) -> None:
    await client.subscribe(change_request(), change_request("INSERT"))

    counts = (await edge.state())["counts"]

    assert (counts["sockets"], counts["channels"], counts["subscriptions"]) == (1, 1, 2)
