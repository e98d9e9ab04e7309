"""Broadcast from the database as the real server was recorded: joins, frames, silences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.realtime.tenant import partition_of
from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, Database
from tests.contract.realtime.edge_server import Edge, edge_process, eventually, serve_edge
from tests.contract.realtime.phoenix_client import Frame, PhoenixClient, connected, token

TOPIC = "realtime:bc:A"
PROMPT = replace(
    QUICK,
    broadcast_retry_min_seconds=0.5,
    broadcast_retry_max_seconds=0.5,
    replication_ready_lag_seconds=0,
    replication_ready_seconds=1,
)


async def has_slot(edge: Edge) -> None:
    """Joins before that fail as they do at the real server: there is no partition yet."""

    async def is_there() -> bool:
        return bool((await edge.state())["broadcasts_flow"])

    await eventually(is_there, within_seconds=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prompt_edge(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    async with edge_process(postgres.url, PROMPT, tmp_path_factory.mktemp("prompt")) as running:
        await has_slot(running)
        yield running


def config(*, private: bool = True, ready: bool = True) -> Frame:
    broadcast = {"ack": False, "self": False, "replication_ready": ready}
    return {
        "broadcast": broadcast,
        "presence": {"key": "", "enabled": False},
        "private": private,
        "postgres_changes": [],
    }


async def join(client: PhoenixClient, *, topic: str = TOPIC, private: bool = True) -> None:
    await client.send_join(topic=topic, config=config(private=private))
    reply = await client.receive()
    assert reply["payload"] == {"status": "ok", "response": {"postgres_changes": []}}, reply
    assert await client.receive() == {
        "ref": None,
        "event": "system",
        "topic": topic,
        "payload": {
            "message": "Replication connection established",
            "status": "ok",
            "extension": "system",
            "channel": topic.removeprefix("realtime:"),
        },
    }


async def send(database: Database, number: int, *, topic: str = "bc:A", private: bool = True) -> None:
    await database.execute(
        "select realtime.send(jsonb_build_object('n', $1::int), 'ins', $2, $3)", number, topic, private
    )


async def numbers(client: PhoenixClient, count: int) -> list[int]:
    frames = [await client.receive() for _ in range(count)]
    return [frame["payload"]["payload"]["n"] for frame in frames]


async def test_a_message_comes_as_a_broadcast_frame_with_an_id_of_its_own(
    prompt_edge: Edge, database: Database
) -> None:
    async with connected(prompt_edge) as client:
        await join(client)

        await send(database, 1)

        frame = await client.receive()
        identity = frame["payload"]["meta"]["id"]
        assert frame == {
            "ref": None,
            "event": "broadcast",
            "topic": TOPIC,
            "payload": {
                "event": "ins",
                "meta": {"id": identity},
                "payload": {"n": 1, "id": identity},
                "type": "broadcast",
            },
        }


async def test_private_and_public_are_two_topics_and_what_was_rolled_back_is_not_sent(
    prompt_edge: Edge, database: Database
) -> None:
    async with connected(prompt_edge) as insider, connected(prompt_edge) as outsider:
        await join(insider)
        await join(outsider, private=False)
        transaction = database.transaction()
        await transaction.start()
        await send(database, 0)
        await transaction.rollback()

        await send(database, 1, private=False)
        await send(database, 2)
        await send(database, 3, topic="bc:B")
        await send(database, 4)

        assert await numbers(insider, 2) == [2, 4]
        assert await numbers(outsider, 1) == [1]


async def test_a_role_without_a_policy_may_not_join_a_private_topic(prompt_edge: Edge) -> None:
    async with connected(prompt_edge, token("authenticated")) as client:
        await client.send_join(topic=TOPIC, config=config())
        reply = await client.receive()

    reason = "Unauthorized: You do not have permissions to read from this Channel topic: bc:A"
    assert reply["payload"] == {"status": "error", "response": {"reason": reason}}


async def test_a_slot_that_is_lost_is_silent_and_what_is_sent_before_the_next_is_gone(
    prompt_edge: Edge, database: Database
) -> None:
    async def slots() -> int:
        return int((await prompt_edge.state())["counts"]["broadcast_slots_created"])

    before = await slots()
    async with connected(prompt_edge) as client:
        await join(client)
        assert (await prompt_edge.fault("kill_broadcast_slot"))["affected"] == 1
        await send(database, 1)

        async def is_made_anew() -> bool:
            return await slots() > before

        await eventually(is_made_anew)
        await send(database, 2)

        assert await numbers(client, 1) == [2]
        await client.heartbeat()
    assert await database.fetchval("select count(*) from realtime.messages where payload ->> 'n' = '1'") >= 1


async def test_while_a_transaction_that_has_written_is_open_no_slot_is_made_and_a_join_is_told_so(
    prompt_edge: Edge, database: Database
) -> None:
    await has_slot(prompt_edge)  # what an earlier test has ended is back
    transaction = database.transaction()
    await transaction.start()
    await database.execute("select pg_current_xact_id()")
    try:
        assert (await prompt_edge.fault("kill_broadcast_slot"))["affected"] == 1

        async def is_lost() -> bool:
            return not (await prompt_edge.state())["broadcasts_flow"]

        await eventually(is_lost)
        async with connected(prompt_edge) as client:
            await client.send_join(topic=TOPIC, config=config())
            assert (await client.receive())["payload"]["status"] == "ok"
            message = (await client.receive())["payload"]
            assert (message["status"], message["message"]) == (
                "error",
                "Replication connection was not established in time",
            )
            assert (await client.receive())["event"] == "phx_close"
    finally:
        await transaction.rollback()


async def test_without_todays_partition_sends_are_warnings_and_joins_fail(
    prompt_edge: Edge, database: Database
) -> None:
    warnings: list[object] = []
    database.add_log_listener(lambda _, message: warnings.append(message.message))
    async with connected(prompt_edge) as joined, connected(prompt_edge) as late:
        await join(joined)
        assert (await prompt_edge.fault("drop_partition"))["affected"] == 1
        await send(database, 1)
        assert str(warnings[0]).startswith("WarnSendingBroadcastMessage: no partition of relation")
        await late.send_join(topic=TOPIC, config=config())
        reply = await late.receive()
        reason = "MissingPartition: Realtime was unable to find the expected messages partition"
        assert reply["payload"]["response"] == {"reason": reason}

        await prompt_edge.fault("kill_broadcast_slot")  # the next connection makes it

        async def is_back() -> bool:
            partition = partition_of(datetime.now(UTC).date())
            return bool(await database.fetchval("select to_regclass($1) is not null", f"realtime.{partition}"))

        await eventually(is_back)


async def test_what_sends_get_wrong_is_swallowed(prompt_edge: Edge, database: Database) -> None:
    async with connected(prompt_edge) as client:
        await join(client)
        for payload in ("[1]", "3"):
            await database.execute("select realtime.send($1::jsonb, 'ins', 'bc:A', true)", payload)
        await database.execute("select realtime.send('{}', 'ins', null, true)")
        await database.execute("select realtime.send(null, 'ins', 'bc:A', true)")

        await send(database, 5)

        assert await numbers(client, 1) == [5]


async def test_messages_that_are_too_large_and_those_above_the_rate_are_dropped_without_a_word(
    postgres: Postgres, database: Database
) -> None:
    few: RealtimeSettings = replace(PROMPT, max_broadcast_bytes=2000, max_events_per_second=4, rate_bucket_seconds=0.5)
    async with serve_edge(postgres.url, few) as edge, connected(edge) as client:
        await has_slot(edge)
        await join(client)
        await database.execute(
            "select realtime.send(jsonb_build_object('n', 0, 'x', repeat('x', 3000)), 'ins', 'bc:A', true)"
        )
        await send(database, 1)
        assert await numbers(client, 1) == [1]

        async def is_silent() -> bool:
            await send(database, 2)
            return bool((await edge.state())["counts"]["events_lost"] > 1)

        await eventually(is_silent)
        with suppress(TimeoutError):
            while (await client.receive(within=0.2))["event"] == "broadcast":
                pass
