"""The listener on the real database and the Realtime edge: whatever breaks between them, no row is missed.

Only the starts of workflows are recorded instead of made. The periodic sweep is switched off, so that every row that
comes through a fault comes by what the feed noticed of it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from listener.listener import Listener
from listener.postgres_changes.feed import PostgresChangesFeed
from listener.postgres_changes.timing import FeedTiming
from shared.ports import FeedState
from shared.supabase import client as supabase_client
from shared.supabase.notification_store import SupabaseNotificationStore

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the library's own use of it

NEVER = 3600.0
IMPATIENT = FeedTiming(
    reconnect_delay=0.1,
    reconnect_cap=1.0,
    confirm_timeout=8.0,
    probe_every=0.5,
    probe_timeout=1.5,
    canary_every=0.5,
    canary_timeout=2.0,
    close_timeout=0.2,
)
ROUTABLE = {
    "notification_status": "PENDING",
    "publish_status": "PUBLISH",
    "deactivated": False,
    "payload": "{}",
}


class Bench:
    """Two enterprises that nobody else uses, a listener for them, and the starts it made."""

    def __init__(self, stack: Mapping[str, str], connection: asyncpg.Connection, edge: httpx.AsyncClient) -> None:
        suffix = secrets.token_hex(4)
        self.enterprise_ids = [f"a.{suffix}", f"b-{suffix}"]
        self.started: list[tuple[str, tuple[int, ...]]] = []
        self.listener: Listener
        self.feed: PostgresChangesFeed
        self._connection = connection
        self._edge = edge

    async def start(self, enterprise_id: str, notification_ids: Sequence[int]) -> bool:
        self.started.append((enterprise_id, tuple(notification_ids)))
        return True

    @property
    def rows_started(self) -> list[int]:
        return [row for _, ids in self.started for row in ids]

    async def insert(self, count: int = 1, *, enterprise: int = 0, **columns: Any) -> list[int]:
        """Rows to be sent at once, in one transaction, unless `columns` say otherwise."""
        values = ROUTABLE | columns
        names = ", ".join(values)
        places = ", ".join(f"${number}" for number in range(3, len(values) + 3))
        rows = await self._connection.fetch(
            f"insert into notify.ent_notification (name, enterprise_id, recipients, {names}) "
            f"select 'row ' || gen_random_uuid(), $1, '{{someone}}', {places} from generate_series(1, $2) returning id",
            self.enterprise_ids[enterprise],
            count,
            *values.values(),
        )
        return [row["id"] for row in rows]

    async def update(self, notification_ids: Sequence[int], assignments: str) -> None:
        await self._connection.execute(
            f"update notify.ent_notification set {assignments} where id = any($1)", notification_ids
        )

    async def fault(self, name: str, **body: Any) -> None:
        answer = await self._edge.post(f"/_faults/{name}", json=body)
        assert answer.status_code == 200, answer.text

    async def subscribed(self) -> None:
        """Wait until every enterprise is subscribed and has caught up."""
        await eventually(lambda: set(self.listener.states().values()) == {FeedState.SUBSCRIBED})

    async def starts(self, *notification_ids: int) -> None:
        """Wait until each of these rows was handed to a workflow."""
        await eventually(lambda: set(notification_ids) <= set(self.rows_started))


async def eventually(check: Callable[[], bool], *, within_seconds: float = 30.0) -> None:
    async with asyncio.timeout(within_seconds):
        while not check():  # noqa: ASYNC110 - what is checked has no event to wait for
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(stack: Mapping[str, str], *, timing: FeedTiming = IMPATIENT) -> AsyncIterator[Bench]:
    key = stack["SUPABASE_SERVICE_ROLE_KEY"]
    supabase, http = await supabase_client.connect(stack["SUPABASE_URL"], key)
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])
    async with http, httpx.AsyncClient(base_url=stack["XNOVU_STACK_EDGE_URL"]) as edge:
        bench = Bench(stack, connection, edge)
        store = SupabaseNotificationStore(supabase)
        bench.feed = PostgresChangesFeed(
            stack["SUPABASE_URL"], key, bench.enterprise_ids, store, max_retries=3, timing=timing
        )
        bench.listener = Listener(
            bench.feed,
            store,
            bench.start,
            bench.enterprise_ids,
            sweep_interval_seconds=NEVER,
            unheard_sweep_seconds=NEVER,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(bench.listener.run(stop))
        try:
            await bench.subscribed()
            yield bench
        finally:
            stop.set()
            await running
            await edge.delete("/_faults")
            await connection.execute(
                "delete from notify.ent_notification where enterprise_id = any($1)", bench.enterprise_ids
            )
            await connection.close()


async def test_a_row_that_is_inserted_or_published_rings_and_nothing_else_does(
    local_stack: Mapping[str, str],
) -> None:
    async with listening(local_stack) as bench:
        [sent] = await bench.insert()
        [draft] = await bench.insert(publish_status="DRAFT")
        [inactive] = await bench.insert(enterprise=1, deactivated=True)
        await bench.starts(sent)
        await bench.update([draft], "publish_status = 'PUBLISH'")
        await bench.update([inactive], "deactivated = false")
        await bench.starts(sent, draft, inactive)
        received = bench.feed.status.changes_received

        await bench.update([sent, draft], "notification_status = 'PROCESSING'")
        await bench.update([sent, draft], "notification_status = 'SENT'")
        await bench.insert(publish_status="DRAFT")
        [last] = await bench.insert()
        await bench.starts(last)

        assert bench.feed.status.changes_received == received + 1, "our own changes of status must not ring"
        assert len(bench.started) == 4


async def test_a_row_released_by_its_worker_rings_again(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        [row] = await bench.insert()
        await bench.starts(row)

        await bench.update([row], "notification_status = 'PROCESSING'")
        await bench.update([row], "notification_status = 'PENDING'")

        await eventually(lambda: bench.rows_started == [row, row])


async def test_a_burst_becomes_full_batches_and_every_row_is_started_once(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        rows = await bench.insert(2000)

        await bench.starts(*rows)
        await eventually(lambda: bench.feed.status.changes_received >= 2000)

        assert sorted(bench.rows_started) == rows
        assert len(bench.started) <= 30


ONCE: dict[str, tuple[str, dict[str, Any]]] = {
    "the connection breaks": ("drop", {}),
    "the server shuts down": ("close", {"code": 1012}),
    "the server closes politely": ("close", {"code": 1000}),
    "the socket freezes": ("freeze", {"seconds": 4.0}),
    "every channel is closed": ("phx_close", {}),
    "every channel crashes": ("phx_error", {}),
    "the token expires": ("expire_token", {}),
    "the slot is lost": ("kill_slot", {}),
    "events vanish": ("lose_events", {"seconds": 3.0}),
    "an event cannot be read": ("malformed_event", {}),
    "an event has no commit time": ("malformed_event", {"field": "commit_timestamp"}),
    "an event is refused": ("unauthorized_event", {}),
}


@pytest.mark.parametrize("fault", ONCE)
async def test_no_row_is_missed_when(local_stack: Mapping[str, str], fault: str) -> None:
    name, body = ONCE[fault]
    async with listening(local_stack) as bench:
        rows = await bench.insert(5)
        for round_ in range(20):
            if round_ == 5:
                await bench.fault(name, **body)
            rows += await bench.insert(3, enterprise=round_ % 2)
            await asyncio.sleep(0.05)

        await bench.starts(*rows)
        await bench.subscribed()
        [after] = await bench.insert(enterprise=1)
        await bench.starts(after)


async def test_no_row_is_missed_when_joins_are_refused_for_a_while(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        await bench.fault("refuse_joins", joins=4, delay_seconds=0.1)
        await bench.fault("phx_close")
        rows = await bench.insert(5)

        await bench.starts(*rows)
        await bench.subscribed()


async def test_a_server_that_refuses_handshakes_is_failed_and_found_again(local_stack: Mapping[str, str]) -> None:
    timing = FeedTiming(reconnect_delay=0.05, reconnect_cap=0.1, probe_every=0.5)
    async with listening(local_stack, timing=timing) as bench:
        await bench.fault("refuse_handshakes", status=503, handshakes=4)
        await bench.fault("drop")
        rows = await bench.insert(5)
        await eventually(lambda: set(bench.listener.states().values()) == {FeedState.FAILED})

        await bench.starts(*rows)

        await bench.subscribed()


async def test_a_row_of_two_megabytes_and_one_of_nobody_are_survived(local_stack: Mapping[str, str]) -> None:
    async with listening(local_stack) as bench:
        [huge] = await bench.insert(payload='{"text": "' + "x" * 2_000_000 + '"}')
        await bench.update([huge], "tags = '{touched}'")
        [small] = await bench.insert()

        await bench.starts(huge, small)
        assert bench.feed.status.callbacks_failed == 0
