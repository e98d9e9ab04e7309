"""Everybody gets what is sent, and nobody twice: answers of Novu's are lost, its queue is long, and workers die.

The delivery's activity on the real database and the sink, as Temporal would run it. The count is the sink's, by person
and channel. `docs/novu.md` states the promise.
"""

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from postgrest import AsyncPostgrestClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.novu import open_trigger
from shared.ports import NotificationTrigger, TakenEvents
from shared.supabase import client as supabase_client
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.temporal.messages import NotificationProcessingInput
from stack.sample_data import insert_notifications, seed_enterprise
from tests.unit.worker.builders import FakeRenderer, an_addressing, same
from worker.activities import doubt, novu_fan_out
from worker.activities.doubt import DoubtRules, Doubts
from worker.activities.notification_delivery import NotificationDelivery

SINGLE_ROWS = 240
MASS_ROWS = 6
MASS_RECIPIENTS = 250
ROWS_IN_A_BATCH = 8
LEASE_SECONDS = 1
LONGEST_LIFE_SECONDS = 1.0
"""Of a worker that is to die, in the middle of whatever it is doing then."""

REALISTIC = {
    # Of two events of one id both are sent if the second is taken up before the first is stored.
    "worker": {"delay_seconds": [0, 2], "storing_seconds": 1.0},
    "answers": {"lost_share": 0.2, "delay_seconds": [0, 0.2]},
}
EVERYBODY_WITHIN_SECONDS = 120.0


@dataclass(frozen=True)
class Bench:
    """An enterprise of the test's own, and a Novu as it is on a bad day."""

    supabase: AsyncPostgrestClient
    connection: "asyncpg.Connection[asyncpg.Record]"
    sink: httpx.AsyncClient
    stack: Mapping[str, str]
    enterprise_id: str

    async def count(self) -> dict[str, Counter[tuple[str, str]]]:
        """By row: how many messages each person was sent in each channel."""
        truth: dict[str, Any] = {"waiting": True}
        while truth["waiting"]:
            await asyncio.sleep(0.1)
            truth = (await self.sink.get("/_sink/truth", params={"by": "payload.row"})).json()
        counts: dict[str, Counter[tuple[str, str]]] = {}
        for one in truth["people"]:
            if one["event"].startswith(self.enterprise_id) and one.get("sent"):
                counts.setdefault(one["event"], Counter())[one["subscriber"], one["channel"]] += one["sent"]
        return counts


@pytest.fixture
async def bench(local_stack: Mapping[str, str]) -> AsyncIterator[Bench]:
    supabase, http = await supabase_client.connect(
        local_stack["SUPABASE_URL"], local_stack["SUPABASE_SERVICE_ROLE_KEY"]
    )
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    async with http, httpx.AsyncClient(base_url=local_stack["NOVU_API_URL"]) as sink:
        try:
            yield Bench(supabase, connection, sink, local_stack, f"enterprise-{uuid4()}")
        finally:
            await sink.delete("/_sink/settings")
            await connection.close()


async def write(bench: Bench) -> dict[str, int]:
    """Rows, each with how many people are to get it; their payload says which row they are."""
    seeded = await seed_enterprise(bench.connection, bench.enterprise_id)
    people = [1] * SINGLE_ROWS + [MASS_RECIPIENTS] * MASS_ROWS
    rows = [
        {
            "notification_workflow_id": seeded.static,
            "recipients": [f"person-{number}" for number in range(count)],
            "payload": {"row": f"{bench.enterprise_id}.{number}"},
        }
        for number, count in enumerate(people)
    ]
    await insert_notifications(bench.connection, bench.enterprise_id, rows)
    return {f"{bench.enterprise_id}.{number}": count for number, count in enumerate(people)}


async def deliver(bench: Bench, ids: list[int], delivery: NotificationDelivery, dies_after: float | None) -> None:
    """One workflow: attempt after attempt, as long as its worker lives."""
    workflow_id = f"workflow-{uuid4()}"

    async def attempts() -> None:
        for attempt in range(1, 20):
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(environment.info, workflow_id=workflow_id, attempt=attempt)
            try:
                await environment.run(delivery.deliver, NotificationProcessingInput(bench.enterprise_id, ids))
                return
            except ApplicationError:
                await asyncio.sleep(0.05)

    with suppress(TimeoutError):
        await asyncio.wait_for(attempts(), dies_after)


async def deliver_all(
    bench: Bench, trigger: NotificationTrigger, taken: TakenEvents, rules: DoubtRules, *, deaths: bool = True
) -> None:
    """Sweep after sweep, until every row is settled. Every third worker dies of it at first."""
    chance = Random(20261128)
    store = SupabaseNotificationStore(bench.supabase)
    delivery = NotificationDelivery(
        store, trigger, FakeRenderer(), an_addressing(), Doubts(same(taken), rules), claim_lease_seconds=LEASE_SECONDS
    )
    sweeps = 0
    async with asyncio.timeout(EVERYBODY_WITHIN_SECONDS):
        while await unsettled(bench):
            sweeps += 1
            due = [
                key
                for page in await store.list_due([bench.enterprise_id], page_size=1000)
                for key in page.notification_ids
            ]
            async with asyncio.TaskGroup() as workers:
                for start in range(0, len(due), ROWS_IN_A_BATCH):
                    dies = deaths and sweeps <= 4 and chance.random() < 1 / 3
                    life = chance.uniform(0.02, LONGEST_LIFE_SECONDS) if dies else None
                    workers.create_task(deliver(bench, due[start : start + ROWS_IN_A_BATCH], delivery, life))
            await asyncio.sleep(0.1)


async def unsettled(bench: Bench) -> int:
    count: int = await bench.connection.fetchval(
        "select count(*) from notify.ent_notification where enterprise_id = $1 and notification_status <> 'SENT'",
        bench.enterprise_id,
    )
    return count


async def marks(bench: Bench) -> dict[str, int]:
    """By what the payload calls the row: how often the row was sent again in doubt."""
    rows = await bench.connection.fetch(
        "select payload ->> 'row' as row, doubtful_repeats from notify.ent_notification where enterprise_id = $1",
        bench.enterprise_id,
    )
    return {row["row"]: row["doubtful_repeats"] for row in rows}


@pytest.mark.parametrize(("idempotent", "wait_seconds"), [(True, 60.0), (False, 0.5)], ids=["keys heeded", "not"])
async def test_everybody_gets_it_and_nobody_twice_without_a_mark(
    bench: Bench, idempotent: bool, wait_seconds: float, record_property: Any
) -> None:
    await bench.sink.patch("/_sink/settings", json={**REALISTIC, "idempotency": idempotent})
    people = await write(bench)
    key = bench.stack["NOVU_SECRET_KEY"]

    async with open_trigger(bench.stack["NOVU_API_URL"], key, singly=idempotent, timeout_seconds=5) as trigger:
        await deliver_all(bench, trigger, trigger, DoubtRules(wait_seconds, idempotent))

    counts, marked = await bench.count(), await marks(bench)
    without = [row for row, count in people.items() if len(counts.get(row, ())) < count]
    twice = {row for row, got in counts.items() if any(sent > 1 for sent in got.values())}
    record_property("once", json.dumps({"twice": len(twice), "marked": sum(map(bool, marked.values()))}))
    assert without == []
    assert {row for row in twice if not marked[row]} == set()
    assert any(marked.values()) is not idempotent, "where keys are heeded no repeat is one in doubt"
    assert not (idempotent and twice)


async def test_a_restored_and_a_reset_database_silence_nothing_and_repeat_nothing(bench: Bench) -> None:
    """The same environment of Novu's, before and after: rows of yesterday come back unsent, and their ids anew."""
    await bench.sink.patch("/_sink/settings", json={"worker": {"delay_seconds": [0, 0]}})
    seeded = await seed_enterprise(bench.connection, bench.enterprise_id)
    row = {"notification_workflow_id": seeded.static, "recipients": ["ada"]}
    names = [f"{bench.enterprise_id}.{name}" for name in ("a", "b", "new-a", "new-b")]
    old = await insert_notifications(
        bench.connection, bench.enterprise_id, [{**row, "payload": {"row": name}} for name in names[:2]]
    )
    await bench.connection.execute(
        "create temporary table yesterday as select * from notify.ent_notification where id = any($1)", old
    )
    rules = DoubtRules(60.0)

    async with open_trigger(bench.stack["NOVU_API_URL"], bench.stack["NOVU_SECRET_KEY"]) as trigger:
        await deliver_all(bench, trigger, trigger, rules, deaths=False)
        sent = await bench.count()
        await bench.connection.execute("delete from notify.ent_notification where id = any($1)", old)
        await bench.connection.execute(
            "insert into notify.ent_notification overriding system value select * from yesterday"
        )
        await deliver_all(bench, trigger, trigger, rules, deaths=False)
        restored = await bench.count()
        await bench.connection.execute("delete from notify.ent_notification where id = any($1)", old)
        for identity, name in zip(old, names[2:], strict=True):
            await bench.connection.execute(
                "insert into notify.ent_notification"
                " (id, name, payload, recipients, notification_workflow_id, publish_status, enterprise_id)"
                " overriding system value"
                " values ($1, $2, jsonb_build_object('row', $2::text), '{ada}', $3, 'PUBLISH', $4)",
                identity,
                name,
                seeded.static,
                bench.enterprise_id,
            )
        await deliver_all(bench, trigger, trigger, rules, deaths=False)

    once = {("ada", "in_app"): 1}
    assert sent == restored == dict.fromkeys(names[:2], once)
    assert await bench.count() == dict.fromkeys(names, once)


FAN_OUT_RECIPIENTS = 5_000
EVENTS_IN_A_ROUND = 5
DIES_AT = (0.1, 0.9)


async def test_a_fan_out_whose_worker_is_killed_at_its_beginning_and_near_its_end_reaches_everybody_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next worker goes on behind what the row says, and asks Novu about the round that was under way."""
    for module in (novu_fan_out, doubt):
        monkeypatch.setattr(module, "EVENTS_PER_ROUND", EVENTS_IN_A_ROUND)
    await bench.sink.patch("/_sink/settings", json={"answers": {"delay_seconds": [0, 0.1]}})
    seeded = await seed_enterprise(bench.connection, bench.enterprise_id)
    people = [f"person-{number}" for number in range(FAN_OUT_RECIPIENTS)]
    row = {"notification_workflow_id": seeded.static, "recipients": people, "payload": {"row": bench.enterprise_id}}
    [notification_id] = await insert_notifications(bench.connection, bench.enterprise_id, [row])
    store = SupabaseNotificationStore(bench.supabase)

    seen: list[int] = []
    async with open_trigger(bench.stack["NOVU_API_URL"], bench.stack["NOVU_SECRET_KEY"], timeout_seconds=5) as trigger:
        rules = Doubts(same(trigger), DoubtRules(0.5))
        delivery = NotificationDelivery(
            store, trigger, FakeRenderer(), an_addressing(), rules, claim_lease_seconds=LEASE_SECONDS
        )
        for share in DIES_AT:
            worker = asyncio.create_task(deliver_patiently(bench, delivery, notification_id))
            while (progress := await chunks_sent(bench, notification_id)) < share * FAN_OUT_RECIPIENTS / 100:
                assert not worker.done()
                await asyncio.sleep(0.01)
            worker.cancel()
            await asyncio.wait({worker})
            seen.append(progress)
        worker = asyncio.create_task(deliver_patiently(bench, delivery, notification_id))
        await until_settled(bench)
        worker.cancel()

    counts = (await bench.count())[bench.enterprise_id]
    base = await bench.connection.fetchval(
        "select transaction_id from notify.ent_notification where id = $1", notification_id
    )
    calls = (await bench.sink.get("/_sink/calls", params={"transaction_id_prefix": base})).json()["calls"]
    repeated = len(calls) - len({call["transaction_id"] for call in calls})
    assert repeated <= len(DIES_AT) * EVENTS_IN_A_ROUND, "only what was under way is ever sent again"
    assert counts == dict.fromkeys(((person, "in_app") for person in people), 1)
    assert seen[0] < FAN_OUT_RECIPIENTS / 100 / 2
    assert FAN_OUT_RECIPIENTS / 100 * 0.9 <= seen[1] < FAN_OUT_RECIPIENTS / 100


async def until_settled(bench: Bench) -> None:
    async with asyncio.timeout(EVERYBODY_WITHIN_SECONDS):
        while await unsettled(bench):  # noqa: ASYNC110 - the table tells of no event
            await asyncio.sleep(0.05)


async def deliver_patiently(bench: Bench, delivery: NotificationDelivery, notification_id: int) -> None:
    """Sweep after sweep, each in a workflow of its own: what another holds is claimed once its lease is over."""
    while True:
        await deliver(bench, [notification_id], delivery, None)
        await asyncio.sleep(0.1)


async def chunks_sent(bench: Bench, notification_id: int) -> int:
    count: int = await bench.connection.fetchval(
        "select chunks_sent from notify.ent_notification where id = $1", notification_id
    )
    return count
