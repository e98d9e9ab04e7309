"""Limits on rates and on idleness, and the end of the server."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stack.edge.realtime import hub
from stack.edge.realtime.rate_counter import RateCounter
from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK, Database
from tests.contract.realtime.edge_server import eventually, serve_edge
from tests.contract.realtime.phoenix_client import PhoenixClient, change_request, connected, token


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_whole_and_trips_the_limit_for_a_minute() -> None:
    clock = _Clock()
    counter = RateCounter(limit_per_second=100, bucket_seconds=5, clock=clock)
    counter.add(7000)
    tripped = []

    for clock.now in (4.9, 5.1, 30.0, 60.0, 64.9, 65.1):
        tripped.append(counter.tripped)

    assert tripped == [False, True, True, True, True, False]


def test_a_steady_rate_below_the_limit_never_trips() -> None:
    clock = _Clock()
    counter = RateCounter(limit_per_second=100, bucket_seconds=5, clock=clock)

    for second in range(120):
        clock.now = float(second)
        counter.add(99)
        assert not counter.tripped


async def test_a_socket_that_sends_nothing_is_closed_with_1000(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, replace(QUICK, socket_idle_seconds=0.3)) as edge, connected(edge) as client:
        assert await client.closed() == 1000


async def test_heartbeats_keep_a_socket_open(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, replace(QUICK, socket_idle_seconds=2)) as edge, connected(edge) as client:
        for _ in range(7):  # for longer than that, and no pause but one of a busy machine comes near it
            await client.heartbeat()
            await asyncio.sleep(0.4)


async def test_a_socket_without_a_channel_is_closed_after_its_time(postgres: Postgres) -> None:
    settings = replace(QUICK, socket_idle_seconds=1, no_channel_seconds=0.2)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        assert await client.closed() == 1000


async def test_the_end_of_the_server_is_a_close_with_1012(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, QUICK) as edge:
        client = PhoenixClient(await connect(edge.websocket(apikey=token())))
        await client.subscribe(change_request())

    assert await client.closed() == 1012


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """By which the edge counts what it allows for each second."""
    clock = _Clock()
    monkeypatch.setattr(hub, "RateCounter", lambda limit, bucket_seconds, _: RateCounter(limit, bucket_seconds, clock))
    return clock


async def test_more_joins_a_second_than_allowed_are_refused_and_end_the_socket(
    postgres: Postgres, clock: _Clock
) -> None:
    settings = replace(QUICK, max_joins_per_second=1, rate_bucket_seconds=1)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        for number in range(10):
            await client.send_join(config={}, ref=f"early {number}")
        while (await client.receive())["ref"] != "early 9":
            pass
        clock.now += settings.rate_bucket_seconds * 2
        await client.send_join(config={}, ref="late")
        while (reply := await client.receive())["ref"] != "late":
            assert reply["event"] == "phx_close" or reply["payload"]["status"] == "ok"

        assert reply["payload"]["response"]["reason"] == "ClientJoinRateLimitReached: Too many joins per second"
        assert await client.closed() == 1000
        with pytest.raises(InvalidStatus) as refused:
            await connect(edge.websocket(apikey=token()))
        assert refused.value.response.body == b'{"error":"Too many joins per second"}'


async def test_a_burst_over_the_event_limit_is_followed_by_silence_and_nothing_tells(
    postgres: Postgres, database: Database, clock: _Clock
) -> None:
    settings = replace(QUICK, max_events_per_second=20, rate_bucket_seconds=1)
    async with serve_edge(postgres.url, settings) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT"))
        await database.execute("insert into notify (state) select 'burst' from generate_series(1, 100)")
        for _ in range(100):
            assert (await client.receive_change())["record"]["state"] == "burst"
        clock.now += settings.rate_bucket_seconds * 2

        await database.execute("insert into notify (state) values ('lost')")
        await edge.polled_anew()
        await client.heartbeat()

        clock.now += settings.rate_bucket_seconds * 13
        await database.execute("insert into notify (state) values ('again')")
        assert (await client.receive_change())["record"]["state"] == "again"


async def test_no_slot_is_made_before_somebody_wants_changes(postgres: Postgres, database: Database) -> None:
    async with serve_edge(postgres.url, QUICK) as edge, connected(edge) as client:
        await client.send_join(config={})
        await client.receive()
        assert (await edge.state())["counts"]["slots_created"] == 0

        await client.subscribe(change_request("INSERT"), ref="2", topic="realtime:y")

        assert (await edge.state())["counts"]["slots_created"] == 1
        await database.execute("insert into notify (state) values ('new')")
        await client.receive_change()


async def test_the_slot_goes_when_nobody_has_wanted_changes_for_long(postgres: Postgres, database: Database) -> None:
    async def slots() -> set[str]:
        # Broadcast's own comes at its time, and stays.
        rows = await database.fetch("select slot_name from pg_replication_slots where slot_name !~ '_messages_'")
        return {row["slot_name"] for row in rows}

    others = await slots()  # of edges that other tests share, or that are just going
    async with serve_edge(postgres.url, replace(QUICK, idle_slot_seconds=0.1)) as edge, connected(edge) as client:
        await client.subscribe(change_request("INSERT"))
        (slot,) = await slots() - others

        await client.send("phx_leave", ref="2")

        async def is_gone() -> bool:
            return slot not in await slots()

        await eventually(is_gone)
