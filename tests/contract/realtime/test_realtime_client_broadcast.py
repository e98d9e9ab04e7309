"""What clients broadcast to each other: who hears it, who is acknowledged, who is told nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import RealtimeChannelBroadcastConfig

from stack.postgres import Postgres
from tests.contract.realtime.conftest import Database
from tests.contract.realtime.edge_server import Edge, eventually, serve_edge
from tests.contract.realtime.phoenix_client import PhoenixClient, connected, token
from tests.contract.realtime.test_realtime_broadcast import PROMPT, has_slot

TOPIC = "realtime:room"
_SAID = {"type": "broadcast", "event": "said", "payload": {"n": 1}}


async def _join(
    client: PhoenixClient, *, topic: str = TOPIC, ack: bool = False, self: bool = False, private: bool = False
) -> None:
    broadcast = {"ack": ack, "self": self}
    await client.send_join(topic=topic, config={"broadcast": broadcast, "private": private})
    assert (await client.receive())["payload"]["status"] == "ok"


def _frame(topic: str = TOPIC) -> dict[str, Any]:
    return {"ref": None, "event": "broadcast", "topic": topic, "payload": _SAID}


async def test_others_on_the_topic_hear_it_and_nobody_else(edge: Edge, client: PhoenixClient) -> None:
    async with connected(edge) as other, connected(edge) as elsewhere:
        await _join(client)
        await _join(other)
        await _join(elsewhere, topic="realtime:elsewhere")

        await client.send("broadcast", _SAID, topic=TOPIC)

        assert await other.receive() == _frame()
        await client.heartbeat()
        await elsewhere.heartbeat()


async def test_with_self_and_ack_the_sender_hears_itself_and_then_that_it_was_taken(client: PhoenixClient) -> None:
    await _join(client, ack=True, self=True)

    await client.send("broadcast", _SAID, topic=TOPIC, ref="5")

    assert await client.receive() == _frame()
    reply = await client.receive()
    assert (reply["ref"], reply["event"], reply["payload"]) == ("5", "phx_reply", {"status": "ok", "response": {}})


async def test_too_large_a_broadcast_reaches_nobody_and_only_who_asked_is_told(
    edge: Edge, client: PhoenixClient
) -> None:
    large = {**_SAID, "payload": "x" * 4_000_000}
    async with connected(edge) as other:
        await _join(client)
        await _join(other, ack=True)

        await client.send("broadcast", large, topic=TOPIC)
        await client.heartbeat()
        await other.send("broadcast", large, topic=TOPIC, ref="6")

        reply = await other.receive()
        await client.heartbeat()
    assert (reply["ref"], reply["payload"]) == ("6", {"status": "error", "response": "payload_size_exceeded"})


async def test_a_private_topic_is_for_who_may_write_to_it(postgres: Postgres, database: Database) -> None:
    async with (
        serve_edge(postgres.url, PROMPT) as edge,
        connected(edge) as service,
        connected(edge, token("authenticated", sub="x")) as reader,
        connected(edge) as public,
    ):
        await has_slot(edge)
        await database.execute("create policy reads on realtime.messages for select to authenticated using (true)")
        try:
            await _join(service, ack=True, private=True)
            await _join(reader, ack=True, private=True)
            await _join(public)

            await reader.send("broadcast", _SAID, topic=TOPIC, ref="7")
            await reader.heartbeat()
            await service.send("broadcast", _SAID, topic=TOPIC, ref="8")

            assert await reader.receive() == _frame()
            assert (await service.receive())["payload"] == {"status": "ok", "response": {}}
            await public.heartbeat()
        finally:
            await database.execute("drop policy reads on realtime.messages")


async def test_the_python_client_sends_and_hears(edge: Edge) -> None:
    async with AsyncExitStack() as closing:
        told: dict[str, list[Any]] = {"speaker": [], "hearer": []}
        channels = {}
        for name, heard in told.items():
            client = AsyncRealtimeClient(f"{edge.http}/realtime/v1", token())
            closing.push_async_callback(client.close)
            broadcast: RealtimeChannelBroadcastConfig = {"ack": True, "self": False}
            channels[name] = client.channel(
                "talk", {"config": {"broadcast": broadcast, "presence": None, "private": False}}
            )
            channels[name].on_broadcast("said", heard.append)
            await channels[name].subscribe(_noting(heard))
        await eventually(lambda: _all_told(told, RealtimeSubscribeStates.SUBSCRIBED))

        await channels["speaker"].send_broadcast("said", {"n": 1})

        await eventually(lambda: _has(told["hearer"], 2))
        assert told["hearer"][1]["payload"] == {"n": 1}
        assert told["speaker"] == [RealtimeSubscribeStates.SUBSCRIBED]


def _noting(heard: list[Any]) -> Callable[[RealtimeSubscribeStates, Exception | None], None]:
    return lambda status, _: heard.append(status)


async def _all_told(told: dict[str, list[Any]], what: object) -> bool:
    return all(what in heard for heard in told.values())


async def _has(heard: list[Any], count: int) -> bool:
    return len(heard) >= count
