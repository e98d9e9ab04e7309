"""The second way to hear: broadcast from the database, alone and with the first to fall back upon."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from listener.heartbeat import observe
from shared.ports import FeedWay
from tests.integration.listener_bench import IMPATIENT, Bench, eventually, listening

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it

ROWS = 80
HASTY = replace(IMPATIENT, fall_back_after=1.5, steady_after=1.0)


async def test_a_burst_is_one_message_for_each_shard_and_our_own_writing_is_none(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack, choice="broadcast") as bench:
        assert bench.feed.status.way is FeedWay.BROADCAST
        rows = await bench.insert(5000)
        await bench.starts(*rows)
        await bench.update(rows, "notification_status = 'PROCESSING'")
        await bench.update(rows, "notification_status = 'SENT'")
        [last] = await bench.insert()
        await bench.starts(last)

        assert bench.feed.status.changes_received == 2
        assert sorted(bench.rows_started) == [*rows, last]


async def test_auto_hears_broadcasts_falls_back_by_itself_and_comes_back(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack, choice="auto", timing=HASTY) as bench:
        await eventually(lambda: observe(bench.listener).way == "broadcast")

        await bench.fault("lose_events", seconds=300.0, table="messages")
        await eventually(lambda: bench.feed.status.way is FeedWay.POSTGRES_CHANGES)
        await bench.subscribed()
        [row] = await bench.insert()
        await bench.starts(row)
        received = bench.feed.status.changes_received

        await bench.end_faults()
        await eventually(lambda: bench.feed.status.way is FeedWay.BROADCAST)
        await bench.subscribed()
        [row] = await bench.insert()
        await bench.starts(row)
        assert bench.feed.status.changes_received > received


async def test_auto_is_the_first_way_where_the_project_has_no_broadcast(local_stack: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    await connection.execute("alter function realtime.send rename to sent")
    try:
        async with listening(local_stack, choice="auto") as bench:
            assert bench.feed.status.way is FeedWay.POSTGRES_CHANGES
            [row] = await bench.insert()
            await bench.starts(row)
    finally:
        await connection.execute("alter function realtime.sent rename to send")
        await connection.close()


@asynccontextmanager
async def locked_messages(stack: Mapping[str, str], bench: Bench) -> AsyncIterator[None]:
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
    async with connection.transaction():
        await connection.execute("lock table realtime.messages in access exclusive mode")
        yield
    await connection.close()


@asynccontextmanager
async def no_function(stack: Mapping[str, str], bench: Bench) -> AsyncIterator[None]:
    await bench.execute("alter function realtime.send rename to sent")
    yield
    await bench.execute("alter function realtime.sent rename to send")


@asynccontextmanager
async def dead_realtime(stack: Mapping[str, str], bench: Bench) -> AsyncIterator[None]:
    await bench.fault("refuse_handshakes", status=503)
    await bench.fault("drop")
    yield
    await bench.end_faults()


@pytest.mark.parametrize("harm", [locked_messages, no_function, dead_realtime])
async def test_a_hundred_rows_a_second_are_written_as_if_nothing_were_and_each_is_delivered(
    local_stack: Mapping[str, str], harm: object
) -> None:
    """What is broken is so until the last is written, where a statement that waited for it would run into its timeout,
    and until that was noticed: what nothing tells of is left to the periodic sweep, which is off here.
    """
    assert callable(harm)
    async with listening(local_stack, choice="broadcast", look_seconds=1.0, unheard_sweep_seconds=0.5) as bench:
        await bench.execute("set statement_timeout = '20s'")
        rows: list[int] = []
        async with harm(local_stack, bench):
            while len(rows) < ROWS:
                rows += await bench.insert(enterprise=len(rows) % 2)
                await asyncio.sleep(0.01)
            await eventually(lambda: not bench.listener.is_heard)
        await bench.execute("reset statement_timeout")

        await bench.starts(*rows)
        await bench.subscribed()
