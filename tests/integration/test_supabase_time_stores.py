"""The stores of rules, scheduled rows, retractions and orchestration, through the whole stack's REST interface."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from postgrest import AsyncPostgrestClient

from shared.notification.outcomes import Failed, Refusal, RefusalCode, Sent
from shared.ports import (
    CronRule,
    DueNotifications,
    HeldClaim,
    RetractedNotification,
    RuleFirings,
    SchedulerPass,
    StoreUnavailable,
    Unaccounted,
)
from shared.supabase import client as supabase_client
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.supabase.orchestration_store import SupabaseOrchestrationStore
from shared.supabase.retraction_store import SupabaseRetractionStore
from shared.supabase.rule_store import SupabaseRuleStore
from shared.supabase.schedule_store import SupabaseScheduleStore

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Bench:
    """An enterprise of the test's own."""

    supabase: AsyncPostgrestClient
    connection: "asyncpg.Connection[asyncpg.Record]"
    enterprise_id: str

    async def insert(self, table: str, **columns: Any) -> int:
        row = {"name": str(uuid4()), "publish_status": "PUBLISH", "enterprise_id": self.enterprise_id, **columns}
        places = ", ".join(f"${position}" for position in range(1, len(row) + 1))
        identity: int = await self.connection.fetchval(
            f"insert into notify.{table} ({', '.join(row)}) values ({places}) returning id", *row.values()
        )
        return identity

    async def insert_notification(self, **columns: Any) -> int:
        return await self.insert("ent_notification", payload={}, recipients=["someone"], **columns)

    async def insert_rule(self, **columns: Any) -> int:
        workflow_id = await self.insert(
            "ent_notification_workflow", workflow_type="STATIC", workflow_key=f"workflow-{uuid4()}"
        )
        return await self.insert(
            "ent_notification_rule",
            notification_workflow_id=workflow_id,
            trigger_type="CRON",
            trigger_config={"cron": "0 9 * * *"},
            **{"rule_payload": {"recipients": ["someone"], "payload": {}}, **columns},
        )

    async def read(self, notification_id: int) -> asyncpg.Record:
        row = await self.connection.fetchrow("select * from notify.ent_notification where id = $1", notification_id)
        assert row is not None
        return row

    async def update(self, notification_id: int, assignment: str) -> None:
        await self.connection.execute(f"update notify.ent_notification set {assignment} where id = $1", notification_id)


@pytest.fixture
async def bench(local_stack: Mapping[str, str]) -> AsyncIterator[Bench]:
    supabase, http = await supabase_client.connect(
        local_stack["SUPABASE_URL"], local_stack["SUPABASE_SERVICE_ROLE_KEY"]
    )
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    async with http:
        yield Bench(supabase, connection, f"enterprise-{uuid4()}")
    await connection.close()


async def test_a_rule_is_read_fired_once_and_decided(bench: Bench) -> None:
    store = SupabaseRuleStore(bench.supabase)
    rule_id = await bench.insert_rule()

    read = await store.cron_rules(bench.enterprise_id)
    [rule] = read.rules
    firing = RuleFirings(rule_id, (NINE, NINE + timedelta(days=1)), read.now, rule.fired_through)
    first = await store.fire_rules(bench.enterprise_id, [firing], next_due_at=FUTURE)
    second = await store.fire_rules(bench.enterprise_id, [firing], next_due_at=FUTURE)

    assert rule == CronRule(rule_id, {"cron": "0 9 * * *"}, rule.fired_through, None)
    assert rule.fired_through < read.now
    assert (first.fired, first.already_fired, first.skipped_rule_ids) == (2, 0, ())
    assert (second.fired, second.skipped_rule_ids, second.notification_ids) == (0, (rule_id,), ())
    assert (await bench.read(first.notification_ids[0]))["name"] == f"rule {rule_id} at 2026-03-02T09:00:00Z"
    [after] = (await store.cron_rules(bench.enterprise_id)).rules
    assert after.fired_through == read.now, "to the microsecond, or the next firing would be skipped"


async def test_a_refused_rule_carries_the_reason(bench: Bench) -> None:
    store = SupabaseRuleStore(bench.supabase)
    rule_id = await bench.insert_rule()
    read = await store.cron_rules(bench.enterprise_id)

    firing = RuleFirings(rule_id, (), read.now, read.rules[0].fired_through, "unknown zone")
    await store.fire_rules(bench.enterprise_id, [firing], next_due_at=None)

    [rule] = (await store.cron_rules(bench.enterprise_id)).rules
    assert rule.schedule_error == "unknown zone"


async def test_due_rows_and_the_next_instant_are_read(bench: Bench) -> None:
    store = SupabaseScheduleStore(bench.supabase)
    due = [await bench.insert_notification(scheduled_for=PAST) for _ in range(3)]
    await bench.insert_notification(scheduled_for=FUTURE)

    page = await store.due_scheduled(bench.enterprise_id, limit=2)

    assert (page.notification_ids, page.has_more, page.next_due_at) == (tuple(due[:2]), True, FUTURE)
    assert page.seconds_until_next == (FUTURE - page.now).total_seconds()
    nobodys = await store.due_scheduled(f"enterprise-{uuid4()}", limit=2)
    assert (nobodys.notification_ids, nobodys.seconds_until_next) == ((), None)


async def test_a_sweep_brings_the_next_instant_and_what_is_to_be_cancelled(bench: Bench) -> None:
    await bench.insert_notification(scheduled_for=FUTURE)
    retracted = await bench.insert_notification(notification_status="RETRACTED", transaction_id="t")

    pages = await SupabaseNotificationStore(bench.supabase).list_due([bench.enterprise_id], page_size=10)

    assert pages == [
        DueNotifications(bench.enterprise_id, (), 0, 0, False, next_scheduled_at=FUTURE, uncancelled=(retracted,))
    ]


async def test_a_sent_row_is_retracted_and_its_cancellation_stored(bench: Bench) -> None:
    store, claims = SupabaseRetractionStore(bench.supabase), SupabaseNotificationStore(bench.supabase)
    notification_id = await bench.insert_notification()
    await claims.claim(bench.enterprise_id, [notification_id], claim_owner="owner", lease_seconds=60)
    await claims.record_outcomes(bench.enterprise_id, claim_owner="owner", outcomes=[Sent(notification_id, "their-id")])
    await bench.update(notification_id, "notification_status = 'RETRACTED'")

    [listed] = await store.retractions_to_cancel(bench.enterprise_id, [notification_id])
    recorded = await store.record_cancellations(
        bench.enterprise_id, {notification_id: {"cancelled": False, "settled": listed.settled}}
    )

    row = await bench.read(notification_id)
    assert listed == RetractedNotification(notification_id, "their-id", recipient_count=1)
    assert recorded == {notification_id}
    assert (row["transaction_id"], row["cancellation"]["cancelled"]) == ("their-id", False)
    assert await store.retractions_to_cancel(bench.enterprise_id, [notification_id]) == []


async def test_what_a_dead_worker_may_have_sent_is_cancelled_by_the_id_it_would_have_had(bench: Bench) -> None:
    store = SupabaseRetractionStore(bench.supabase)
    notification_id = await bench.insert_notification()
    await SupabaseNotificationStore(bench.supabase).claim(
        bench.enterprise_id, [notification_id], claim_owner="dead", lease_seconds=60
    )
    await bench.update(notification_id, "notification_status = 'RETRACTED', lease_expires_at = now()")

    [listed] = await store.retractions_to_cancel(bench.enterprise_id, [notification_id])
    await store.record_cancellations(bench.enterprise_id, {notification_id: {"cancelled": True, "settled": False}})

    expected_id = f"xnovu.{(await bench.read(notification_id))['delivery_key']}"
    assert listed == RetractedNotification(notification_id, expected_id, recipient_count=1, settled=False)
    assert (await bench.read(notification_id))["transaction_id"] == expected_id


async def test_what_an_attempt_leaves_behind_the_next_claim_brings(bench: Bench) -> None:
    store = SupabaseNotificationStore(bench.supabase)
    ids = [await bench.insert_notification() for _ in range(2)]
    how: Any = {"claim_owner": "owner", "lease_seconds": 60}
    before = (await store.claim(bench.enterprise_id, ids, **how)).notifications
    rows = [
        HeldClaim(ids[0], 1, (3,), in_doubt=True, refused=True, repeated=True),
        HeldClaim(ids[1], in_doubt=True, put_off_seconds=60.0),
    ]

    held = await store.hold_claims(bench.enterprise_id, rows=rows, **how)
    [after] = (await store.claim(bench.enterprise_id, ids, **how)).notifications

    assert held == set(ids)
    assert [(each.doubt_seconds, each.chunks_beyond) for each in before] == [(None, frozenset())] * 2
    assert (after.id, after.transaction_base) == (ids[0], before[0].transaction_base)
    assert (after.chunks_sent, after.chunks_beyond, after.idempotency_round) == (1, frozenset({3}), 1)
    assert after.doubtful_repeats == 1
    assert after.doubt_seconds is not None
    assert 0 <= after.doubt_seconds < 30


@pytest.mark.parametrize(
    ("refusal", "may_have_been_sent"),
    [
        (Refusal(RefusalCode.TEMPLATE_INVALID, "no end"), False),
        (Refusal(RefusalCode.NOVU_REFUSED, "refused", {"chunks_sent": 0}), False),
        (Refusal(RefusalCode.NOVU_REFUSED, "refused", {"chunks_sent": 2}), True),
        (Refusal(RefusalCode.DELIVERY_TIMED_OUT, "gave up"), True),
    ],
    ids=lambda value: value.code if isinstance(value, Refusal) else "",
)
async def test_a_failed_row_carries_a_transaction_id_if_anything_of_it_may_have_been_sent(
    bench: Bench, refusal: Refusal, may_have_been_sent: bool
) -> None:
    store = SupabaseNotificationStore(bench.supabase)
    notification_id = await bench.insert_notification()
    await store.claim(bench.enterprise_id, [notification_id], claim_owner="owner", lease_seconds=60)

    outcome = Failed(notification_id, refusal)
    await store.record_outcomes(bench.enterprise_id, claim_owner="owner", outcomes=[outcome])

    row = await bench.read(notification_id)
    assert row["notification_status"] == "FAILED"
    assert (row["transaction_id"] is not None) is may_have_been_sent
    assert row["chunks_sent"] == refusal.details.get("chunks_sent", 0)


async def test_the_orchestration_reads_forgotten_rows_and_passes(bench: Bench) -> None:
    store, enterprise_ids = SupabaseOrchestrationStore(bench.supabase), [bench.enterprise_id]
    nothing = await store.unaccounted(enterprise_ids, older_than_seconds=60)
    await bench.insert_notification(created_at=PAST, updated_at=PAST)
    await bench.insert_notification()

    forgotten = await store.unaccounted(enterprise_ids, older_than_seconds=60)
    page = await SupabaseScheduleStore(bench.supabase).due_scheduled(bench.enterprise_id, limit=1)

    assert nothing == Unaccounted(0, 0.0)
    assert forgotten.rows == 1
    assert forgotten.oldest_age_seconds > (datetime.now(UTC) - PAST - timedelta(minutes=1)).total_seconds()
    assert await store.scheduler_passes(enterprise_ids) == [
        SchedulerPass(bench.enterprise_id, "scheduled", page.now, None)
    ]


async def test_a_call_that_fails_is_a_passing_fault_that_quotes_no_argument(bench: Bench) -> None:
    with pytest.raises(StoreUnavailable, match=r"due_scheduled: .*22023") as raised:
        await SupabaseScheduleStore(bench.supabase).due_scheduled(bench.enterprise_id, limit=0)

    assert bench.enterprise_id not in str(raised.value)
