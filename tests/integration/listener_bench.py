"""A listener on the real database and the Realtime edge; what it would ask of Temporal is recorded instead.

The periodic sweep and look are switched off, so that every row that comes through a fault comes by what the feed
noticed of it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import httpx

from cli.doctor.realtime import PROBE_ID as DOCTOR
from listener.doorbell.feed import DoorbellFeed
from listener.doorbell.timing import FeedTiming
from listener.hearing import FeedChoice, feed_for
from listener.listener import Listener
from listener.workflows import Work, Workflows
from shared.notification.priority import NORMAL
from shared.ports import FeedState
from shared.supabase import client as supabase_client
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.temporal.messages import Portion
from shared.temporal.orchestration import OrchestrationRun

NEVER = 3600.0
IMPATIENT = FeedTiming(
    reconnect_delay=0.1,
    reconnect_cap=1.0,
    confirm_timeout=8.0,
    probe_every=0.5,
    probe_timeout=1.5,
    canary_every=0.5,
    canary_timeout=2.0,
    canary_again=0.5,
    silence_limit=4.0,
    seat_probe_every=0.5,
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

    def __init__(self, connection: asyncpg.Connection, scheduler: asyncpg.Connection, edge: httpx.AsyncClient) -> None:
        """`scheduler` is a connection of its own, for what the recorded scheduler does beside the test."""
        suffix = secrets.token_hex(4)
        self.enterprise_ids = [f"a.{suffix}", f"b-{suffix}"]
        self.started: list[tuple[str, tuple[int, ...]]] = []
        self.retracted: list[tuple[str, tuple[int, ...]]] = []
        self.rules_told: list[str] = []
        self.rows_told: list[tuple[str, datetime]] = []
        self.listener: Listener
        self.feed: DoorbellFeed
        self._connection = connection
        self._scheduler = scheduler
        self._edge = edge

    async def start(self, portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        for portion in portions:
            self.started.append((portion.enterprise_id, tuple(portion.notification_ids)))
        return True

    async def retract(self, portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        for portion in portions:
            self.retracted.append((portion.enterprise_id, tuple(portion.notification_ids)))
        return True

    async def until_done(self, portion: Portion) -> None:
        """At once."""

    async def rules_changed(self, enterprise_id: str) -> bool:
        """As the scheduler does, read them."""
        self.rules_told.append(enterprise_id)
        await self._scheduler.fetchval("select notify.read_cron_rules($1)", enterprise_id)
        return True

    async def row_due_at(self, enterprise_id: str, instant: datetime) -> bool:
        self.rows_told.append((enterprise_id, instant))
        return True

    async def join_orchestration(self, enterprise_ids: Collection[str]) -> None:
        """There is none here."""

    async def observe_orchestration(self) -> OrchestrationRun:
        return OrchestrationRun.RUNNING

    @property
    def workflows(self) -> Workflows:
        return Workflows(
            start={Work.PROCESSING: self.start, Work.RETRACTION: self.retract},
            until_done=self.until_done,
            rules_changed=self.rules_changed,
            row_due_at=self.row_due_at,
            join_orchestration=self.join_orchestration,
            observe_orchestration=self.observe_orchestration,
        )

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

    async def insert_rule(self, *, enterprise: int = 0, publish_status: str = "PUBLISH") -> int:
        """A rule, with a workflow of its own."""
        key = f"rule-{secrets.token_hex(4)}"
        rule_id: int = await self._connection.fetchval(
            "with workflow as ("
            " insert into notify.ent_notification_workflow (name, workflow_type, workflow_key, enterprise_id)"
            " values ($1, 'DYNAMIC', $1, $2) returning id)"
            " insert into notify.ent_notification_rule"
            " (name, notification_workflow_id, trigger_type, enterprise_id, publish_status)"
            " select $1, id, 'CRON', $2, $3 from workflow returning id",
            key,
            self.enterprise_ids[enterprise],
            publish_status,
        )
        return rule_id

    async def update_rule(self, rule_id: int, assignments: str) -> None:
        await self._connection.execute(f"update notify.ent_notification_rule set {assignments} where id = $1", rule_id)

    async def beats(self) -> int:
        """How many canaries of listeners have written."""
        written: int = await self._connection.fetchval(
            "select coalesce(sum(beat), 0)::bigint from notify.listener_beat where listener_id <> $1", DOCTOR
        )
        return written

    async def call(self, function: str, *arguments: Any) -> Any:
        """One of the database's functions."""
        places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
        return await self._connection.fetchval(f"select notify.{function}({places})", *arguments)

    async def fault(self, name: str, **body: Any) -> None:
        answer = await self._edge.post(f"/_faults/{name}", json=body)
        assert answer.status_code == 200, answer.text

    async def end_faults(self) -> None:
        (await self._edge.delete("/_faults")).raise_for_status()

    async def execute(self, statement: str) -> None:
        await self._connection.execute(statement)

    async def subscribed(self) -> None:
        """Wait until every enterprise is subscribed and has caught up."""
        await eventually(lambda: set(self.listener.states().values()) == {FeedState.SUBSCRIBED})

    async def hears(self) -> None:
        """Wait until events flow: a burst of rows, another test's say, silences the server for up to a minute."""
        [never_due] = await self.insert(enterprise=1, publish_status="DRAFT")
        await self.update([never_due], "publish_status = 'PUBLISH', scheduled_for = 'infinity'")
        async with asyncio.timeout(90):
            while self.feed.status.changes_received == 0:
                await self.update([never_due], "tags = '{probe}'")
                await asyncio.sleep(0.2)
        await self.subscribed()
        [last] = await self.insert(enterprise=1)  # events come in order: none of the probes is still on its way
        await self.starts(last)
        await self._connection.execute("delete from notify.ent_notification where id = any($1)", [never_due, last])
        self.started.clear()

    async def starts(self, *notification_ids: int) -> None:
        """Wait until each of these rows was handed to a workflow."""
        await eventually(lambda: set(notification_ids) <= set(self.rows_started))


async def eventually(check: Callable[[], bool], *, within_seconds: float = 60.0) -> None:
    async with asyncio.timeout(within_seconds):
        while not check():  # noqa: ASYNC110 - what is checked has no event to wait for
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(
    stack: Mapping[str, str],
    *,
    timing: FeedTiming = IMPATIENT,
    look_seconds: float = NEVER,
    unheard_sweep_seconds: float = NEVER,
    choice: FeedChoice = "postgres_changes",
) -> AsyncIterator[Bench]:
    key = stack["SUPABASE_SERVICE_ROLE_KEY"]
    supabase, http = await supabase_client.connect(stack["SUPABASE_URL"], key)
    connection, scheduler = [await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"]) for _ in range(2)]
    async with http, httpx.AsyncClient(base_url=stack["XNOVU_STACK_EDGE_URL"]) as edge:
        bench = Bench(connection, scheduler, edge)
        store = SupabaseNotificationStore(supabase)
        bench.feed = feed_for(
            choice, stack["SUPABASE_URL"], lambda: key, bench.enterprise_ids, store, max_retries=3, timing=timing
        )
        bench.listener = Listener(
            bench.feed,
            store,
            bench.workflows,
            bench.enterprise_ids,
            sweep_interval_seconds=NEVER,
            unheard_sweep_seconds=unheard_sweep_seconds,
            look_seconds=look_seconds,
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
            for table in ("ent_notification", "ent_notification_rule", "ent_notification_workflow"):
                await connection.execute(
                    f"delete from notify.{table} where enterprise_id = any($1)", bench.enterprise_ids
                )
            await connection.close()
            await scheduler.close()
