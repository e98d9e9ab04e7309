"""The Python client against this edge falls into the traps it falls into against the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    RealtimePostgresChangesListenEvent,
    RealtimeSubscribeStates,
)

from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, Database
from tests.contract.realtime.edge_server import Edge, eventually, serve_edge
from tests.contract.realtime.phoenix_client import token


@dataclass
class Listening:
    """A channel of the client, and all it was told, in order."""

    client: AsyncRealtimeClient
    channel: AsyncRealtimeChannel
    told: list[object]

    async def is_told(self, what: object, times: int = 1, within_seconds: float = 10) -> None:
        async def told() -> bool:
            return self.told.count(what) >= times

        await eventually(told, within_seconds)


def _client(edge: Edge) -> AsyncRealtimeClient:
    return AsyncRealtimeClient(f"{edge.http}/realtime/v1", token())


async def _listen(client: AsyncRealtimeClient, condition: str | None = None) -> Listening:
    told: list[object] = []
    channel = client.channel("emails")

    def on_change(payload: Any) -> None:
        told.append(payload["data"]["record"]["state"])

    def on_system(payload: Any) -> None:
        told.append(payload.message if hasattr(payload, "message") else payload["message"])

    channel.on_postgres_changes(
        RealtimePostgresChangesListenEvent.Insert, callback=on_change, table="notify", schema="public", filter=condition
    )
    channel.on_system(on_system)
    await channel.subscribe(lambda status, _: told.append(status))
    return Listening(client, channel, told)


@pytest_asyncio.fixture
async def listening(edge: Edge) -> AsyncIterator[Listening]:
    client = _client(edge)
    listening = await _listen(client)
    await listening.is_told("Subscribed to PostgreSQL")
    yield listening
    await client.close()


async def test_a_row_reaches_the_callback(listening: Listening, database: Database) -> None:
    await database.execute("insert into notify (state) values ('new')")

    await listening.is_told("new")


async def test_subscribed_is_told_before_the_database_has_confirmed_and_rows_between_are_missed(
    postgres: Postgres, database: Database
) -> None:
    async with serve_edge(postgres.url, replace(QUICK, subscribe_retry_seconds=1.5)) as edge:
        client = _client(edge)
        listening = await _listen(client)
        await listening.is_told(RealtimeSubscribeStates.SUBSCRIBED)

        await database.execute("insert into notify (state) values ('missed')")
        await listening.is_told("Subscribed to PostgreSQL")
        await database.execute("insert into notify (state) values ('seen')")
        await listening.is_told("seen")
        await client.close()

    assert listening.told == [RealtimeSubscribeStates.SUBSCRIBED, "Subscribed to PostgreSQL", "seen"]


async def test_a_closed_channel_is_never_joined_again_although_the_socket_looks_well(
    edge: Edge, listening: Listening, database: Database
) -> None:
    await edge.fault("phx_close")

    await listening.is_told(RealtimeSubscribeStates.CLOSED)
    await database.execute("insert into notify (state) values ('unheard')")
    await edge.polled_anew()
    assert listening.client.is_connected
    assert (await edge.state())["counts"]["channels"] == 0
    assert "unheard" not in listening.told


async def test_an_expired_token_ends_the_channel_for_good(edge: Edge, listening: Listening) -> None:
    await edge.fault("expire_token")

    await listening.is_told(RealtimeSubscribeStates.CLOSED)
    assert RealtimeSubscribeStates.CHANNEL_ERROR in listening.told
    assert listening.client.is_connected


async def test_a_database_error_makes_it_rejoin_and_close_its_own_new_channel(edge: Edge) -> None:
    client = _client(edge)

    listening = await _listen(client, "nocol=eq.1")

    await listening.is_told(RealtimeSubscribeStates.CLOSED)
    states = [told for told in listening.told if isinstance(told, RealtimeSubscribeStates)]
    assert states[0] is RealtimeSubscribeStates.SUBSCRIBED
    assert states.index(RealtimeSubscribeStates.CHANNEL_ERROR) < states.index(RealtimeSubscribeStates.CLOSED)
    # The server still holds the second channel: it closed the first, whose name the client does not look at.
    assert (await edge.state())["counts"]["channels"] == 1
    await client.close()


# The library reads attributes that websockets has deprecated; as an error, that would end its reader task.
@pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")
async def test_a_dropped_socket_is_reconnected_and_rows_between_are_missed(
    edge: Edge, listening: Listening, database: Database
) -> None:
    await edge.fault("drop")

    await listening.is_told(RealtimeSubscribeStates.SUBSCRIBED, times=2)
    await listening.is_told("Subscribed to PostgreSQL", times=2)
    await database.execute("insert into notify (state) values ('after')")
    await listening.is_told("after")


@pytest.mark.parametrize("fault", ["malformed_event", "unauthorized_event"])
async def test_an_event_that_fails_its_model_is_dropped_and_the_next_is_heard(
    edge: Edge, listening: Listening, database: Database, fault: str
) -> None:
    heard = len(listening.told)
    await edge.fault(fault)
    await database.execute("insert into notify (state) values ('next')")

    await listening.is_told("next")
    assert listening.told[heard:] == ["next"]


async def test_a_refused_join_is_a_channel_error(edge: Edge) -> None:
    await edge.fault("refuse_joins", joins=1, delay_seconds=0)
    client = _client(edge)

    listening = await _listen(client)

    await listening.is_told(RealtimeSubscribeStates.CHANNEL_ERROR)
    await listening.is_told(RealtimeSubscribeStates.SUBSCRIBED)
    await client.close()
