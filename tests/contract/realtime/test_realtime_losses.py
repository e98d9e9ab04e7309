"""What is lost when the database or the slot is, and that no client is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, TABLES, Database
from tests.contract.realtime.edge_server import Edge, eventually, serve_edge
from tests.contract.realtime.phoenix_client import PhoenixClient, change_request, connected


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[Postgres]:
    """One that a test may stop."""
    async with Postgres(tmp_path / "postgres", migrations=None) as server:
        await _execute(server, TABLES.read_text(encoding="utf-8"))
        yield server


async def _execute(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _slot_is_made_anew(edge: Edge, slots_before: int) -> None:
    async def is_made() -> bool:
        return bool((await edge.state())["counts"]["slots_created"] > slots_before)

    await eventually(is_made)


async def test_a_killed_slot_loses_what_is_committed_until_the_next_and_no_frame_tells(
    edge: Edge, client: PhoenixClient, database: Database
) -> None:
    await client.subscribe(change_request("INSERT"))
    slots = (await edge.state())["counts"]["slots_created"]

    assert (await edge.fault("kill_slot"))["affected"] == 1
    await database.execute("insert into notify (state) values ('perhaps lost')")
    await _slot_is_made_anew(edge, slots)
    await database.execute("insert into notify (state) values ('seen')")

    states = [(await client.receive_change())["record"]["state"]]
    assert states in (["seen"], ["perhaps lost"])
    await client.heartbeat() if states == ["seen"] else await client.receive_change()


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill], ids=["stopped", "killed"])
async def test_while_postgres_is_down_heartbeats_answer_and_later_changes_come_again(
    own_postgres: Postgres, end: Callable[[Postgres], Awaitable[None]]
) -> None:
    async with serve_edge(own_postgres.url, QUICK) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT"))
        slots = (await edge.state())["counts"]["slots_created"]

        await end(own_postgres)
        await client.heartbeat(within=2)
        await own_postgres.start()
        await _slot_is_made_anew(edge, slots)
        await _execute(own_postgres, "insert into notify (state) values ('seen')")

        frame = await client.receive()
        while frame["event"] == "system":
            # After many failed attempts the real server's channels subscribe anew, and say so.
            assert frame["payload"]["message"] == "Subscribed to PostgreSQL"
            frame = await client.receive()
        assert frame["payload"]["data"]["record"]["state"] == "seen"


async def test_a_join_while_postgres_is_down_is_confirmed_when_it_is_back(own_postgres: Postgres) -> None:
    await own_postgres.stop()
    async with serve_edge(own_postgres.url, QUICK) as edge, connected(edge) as client:
        await client.send_join(change_request())
        assert (await client.receive())["payload"]["status"] == "ok"
        await client.heartbeat()

        await own_postgres.start()

        assert (await client.receive(20))["payload"]["message"] == "Subscribed to PostgreSQL"


async def test_subscribed_comes_although_an_open_transaction_holds_up_the_slot(
    postgres: Postgres, database: Database
) -> None:
    settings = replace(QUICK, slot_wait_seconds=0.1)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        transaction = database.transaction()
        await transaction.start()
        await database.execute("insert into notify (state) values ('open')")

        await client.subscribe(change_request("INSERT"))
        await _execute(postgres, "insert into notify (state) values ('lost')")
        await transaction.commit()
        await _slot_is_made_anew(edge, 0)
        await _execute(postgres, "insert into notify (state) values ('seen')")

        assert (await client.receive_change())["record"]["state"] == "seen"


async def test_a_changed_publication_brings_another_confirmation_and_no_loss(
    own_postgres: Postgres,
) -> None:
    settings = replace(QUICK, publication_refresh_seconds=0.1)
    async with serve_edge(own_postgres.url, settings) as edge, connected(edge) as client:
        await client.subscribe({"event": "INSERT", "schema": "public"})

        await _execute(own_postgres, "alter publication supabase_realtime add table notpub")
        assert (await client.receive())["payload"]["message"] == "Subscribed to PostgreSQL"
        await _execute(own_postgres, "insert into notpub values (1)")

        assert (await client.receive_change())["table"] == "notpub"
