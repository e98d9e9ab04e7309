"""Another user of the project's Realtime, beside a burst of ours: what we publish, and how late his changes come."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks import burst
from tests.benchmarks.burst import Burst
from tests.benchmarks.system import System

BEAT_SECONDS = 0.5
AFTERWARDS_SECONDS = 10.0
"""Of beats after the burst: what queues in the log comes late then."""
_SLOT = "xnovu_bench"


@dataclass(frozen=True)
class Beside:
    """The burst; changes of ours that any way published for it; seconds by which the other's beats were late at worst;
    how many of them never came; and sockets that were lost.
    """

    burst: Burst
    published: int
    beats: int
    worst_late_s: float
    beats_lost: int
    sockets_lost: int


async def measure(system: System) -> Beside:
    """A burst between two quiet stretches, with a beat every half second throughout."""
    administrator = await asyncpg.connect(system.stack.postgres.url)
    await administrator.execute("create table if not exists public.foreign_beat (id bigint primary key)")
    await administrator.execute("grant select on public.foreign_beat to service_role")
    await administrator.execute("alter publication supabase_realtime add table public.foreign_beat")
    try:
        async with _subscribed(system) as socket:
            lost_before = await _reconnects(system)
            await administrator.execute(
                "select pg_create_logical_replication_slot($1, 'pgoutput', temporary => true)", _SLOT
            )
            rings_before, canary_beats_before = await _rings(administrator), await _beats(administrator)
            sent_at: dict[int, float] = {}
            heard_at: dict[int, float] = {}
            hearing = asyncio.create_task(_hear(socket, heard_at))
            beating = asyncio.create_task(_beat_for_ever(system, sent_at))
            await asyncio.sleep(2.0)
            result = await burst.measure(system)
            await asyncio.sleep(AFTERWARDS_SECONDS)
            beating.cancel()
            await asyncio.wait({beating})
            await asyncio.sleep(1.0)
            is_dropped = hearing.done()
            hearing.cancel()
            await asyncio.wait({hearing})
            late = [heard_at[each] - at for each, at in sent_at.items() if each in heard_at]
            published = await _published(administrator) + await _rings(administrator) - rings_before
            published -= await _beats(administrator) - canary_beats_before
            return Beside(
                burst=result,
                published=published,
                beats=len(sent_at),
                worst_late_s=max(late, default=float("inf")),
                beats_lost=len(sent_at) - len(late),
                sockets_lost=await _reconnects(system) - lost_before + is_dropped,
            )
    finally:
        await administrator.execute("alter publication supabase_realtime drop table public.foreign_beat")
        await administrator.close()


async def _published(administrator: asyncpg.Connection) -> int:
    """Changes of tables of ours that the project's publication has published since the slot was made."""
    messages = await administrator.fetch(
        "select data from pg_logical_slot_get_binary_changes("
        "$1, null, null, 'proto_version', '1', 'publication_names', 'supabase_realtime')",
        _SLOT,
    )
    changed = Counter(int.from_bytes(row["data"][1:5]) for row in messages if row["data"][:1] in b"IUD")
    ours = await administrator.fetch(
        "select c.oid::bigint as oid from pg_catalog.pg_class c where c.relnamespace = 'notify'::regnamespace"
    )
    return sum(changed[row["oid"]] for row in ours)


async def _rings(administrator: asyncpg.Connection) -> int:
    count: int = await administrator.fetchval("select count(*) from realtime.messages where event = 'ring'")
    return count


async def _beats(administrator: asyncpg.Connection) -> int:
    """Of our own canary by the table: they come with or without a burst."""
    count: int = await administrator.fetchval("select count(*) from notify.doorbell where listener_id is not null")
    return count


async def _beat_for_ever(system: System, sent_at: dict[int, float]) -> None:
    connection = await asyncpg.connect(system.stack.postgres.url)
    try:
        for number in range(1, 10_000):
            await connection.execute("insert into public.foreign_beat (id) values ($1)", number)
            sent_at[number] = time.perf_counter()
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        connection.terminate()


async def _hear(socket: ClientConnection, heard_at: dict[int, float]) -> None:
    """Until the socket closes."""
    async for text in socket:
        frame = json.loads(text)
        if frame["event"] == "postgres_changes":
            heard_at[int(frame["payload"]["data"]["record"]["id"])] = time.perf_counter()


@asynccontextmanager
async def _subscribed(system: System) -> AsyncIterator[ClientConnection]:
    key = system.stack.environment["SUPABASE_SERVICE_ROLE_KEY"]
    url = system.stack.edge.url.replace("http", "ws", 1)
    async with connect(f"{url}/realtime/v1/websocket?apikey={key}&vsn=1.0.0", ping_interval=None) as socket:
        entry = {"event": "INSERT", "schema": "public", "table": "foreign_beat"}
        payload = {"config": {"postgres_changes": [entry]}, "access_token": key}
        join = {"topic": "realtime:foreign", "event": "phx_join", "payload": payload, "ref": "1", "join_ref": "1"}
        await socket.send(json.dumps(join))
        async with asyncio.timeout(30):
            while "Subscribed to PostgreSQL" not in str(await socket.recv()):
                pass
        yield socket


async def _reconnects(system: System) -> int:
    """Of all listeners, as their heartbeats tell."""
    count: int = await system.database.fetchval(
        "select coalesce(sum((report -> 'listener' ->> 'reconnects')::int), 0)::int"
        " from notify.component_heartbeat where component = 'listener'"
    )
    return count
