"""What rings the doorbell and what does not, what a ring says, and that ringing never harms whoever writes."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from listener.doorbell.ring import read_ring
from shared.ports import ChangeType, FeedLate, RowChange, RowRetracted, RowScheduled, RuleChanged
from shared.shards import SHARDS, shard_of
from stack.postgres import SUPERUSER
from tests.integration.database.project import (
    GIVEN_BACK,
    OURS,
    RECIPIENT,
    THEIRS,
    TOMORROW,
    Connection,
    Project,
    call,
    claim,
    insert_notification,
    insert_notifications,
    insert_rule,
    insert_workflow,
    update,
    update_rule,
)

WAY = "postgres_changes"

fresh = pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)


@pytest.fixture
async def heard(connection: Connection) -> Connection:
    """A project in which somebody listens."""
    await call(connection, "sing", p_listener_id="listener", p_way=WAY)
    await connection.execute("delete from notify.doorbell")
    return connection


async def _rings(connection: Connection) -> list[dict[str, Any]]:
    """Those since the last call."""
    rows = await connection.fetch("delete from notify.doorbell returning id, shard, ring")
    for row in rows:
        for entry in row["ring"]["of"]:
            assert shard_of(entry["enterprise_id"]) == row["shard"]
    return [row["ring"] for row in sorted(rows, key=lambda row: row["id"])]


async def _news(connection: Connection, *enterprise_ids: str) -> list[Any]:
    """What a listener makes of them, commit times aside."""
    wanted = frozenset(enterprise_ids or {OURS, THEIRS})
    return [
        (news.notification_id, news.change, news.priority) if isinstance(news, RowChange) else news
        for ring in await _rings(connection)
        for news in read_ring(ring, wanted)
    ]


async def test_a_row_rings_when_it_is_to_be_sent_and_not_before(heard: Connection) -> None:
    draft = await insert_notification(heard, publish_status="DRAFT")
    inactive = await insert_notification(heard, deactivated=True)
    assert await _news(heard) == []

    row = await insert_notification(heard)
    assert await _news(heard) == [(row, ChangeType.INSERT, 3)]
    await update(heard, [draft], "publish_status = 'PUBLISH'")
    await update(heard, [inactive], "deactivated = false")
    assert await _news(heard) == [(draft, ChangeType.UPDATE, 3), (inactive, ChangeType.UPDATE, 3)]


async def test_a_row_for_later_rings_for_its_instant_and_one_that_can_never_fall_due_at_once(heard: Connection) -> None:
    await insert_notification(heard, scheduled_for=TOMORROW)
    [past] = await insert_notifications(heard, 1, scheduled_for=datetime(2020, 1, 1, tzinfo=UTC))
    assert await _news(heard) == [RowScheduled(OURS, TOMORROW), (past, ChangeType.INSERT, 3)]

    for never in ("infinity", "-infinity", "12000-01-01"):
        await update(heard, [past], f"scheduled_for = '{never}'")
        assert await _news(heard) == [(past, ChangeType.UPDATE, 3)]


async def test_what_we_write_for_ourselves_rings_nobody_and_a_row_that_is_given_back_does(heard: Connection) -> None:
    given_back, sent, failed = await insert_notifications(heard, 3)
    rule = await insert_rule(heard, await insert_workflow(heard))
    await _rings(heard)

    await claim(heard, [given_back, sent, failed])
    await call(
        heard, "renew_claims", p_enterprise_id=OURS, p_claim_owner="owner", p_chunks_sent={str(sent): 1},
        p_lease_seconds=60,
    )  # fmt: skip
    await call(
        heard,
        "record_outcomes",
        p_enterprise_id=OURS,
        p_claim_owner="owner",
        p_outcomes=[
            {"id": sent, "status": "SENT", "transaction_id": "t"},
            {"id": failed, "status": "FAILED", "error_details": {"code": "c", "message": "m"}},
        ],
    )
    await update_rule(heard, rule, "schedule_error = 'it cannot fire'")
    await call(heard, "read_cron_rules", p_enterprise_id=OURS)
    assert await _rings(heard) == []

    await update(heard, [given_back], GIVEN_BACK)
    assert await _news(heard) == [(given_back, ChangeType.UPDATE, 3)]


async def test_a_row_that_its_maker_starts_rings_nobody_unless_it_is_for_later(heard: Connection) -> None:
    await insert_workflow(heard, workflow_key="greet")
    await _rings(heard)
    asked = {"p_enterprise_id": OURS, "p_workflow_key": "greet", "p_recipients": [RECIPIENT], "p_payload": {}}

    async with heard.transaction():
        to_start = await call(heard, "create_started_notification", **asked)
        another = await insert_notification(heard)
    assert await _news(heard) == [(another, ChangeType.INSERT, 3)]
    # Whoever dies before he has started it leaves it to the sweep.
    [swept] = await call(heard, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)
    assert to_start["notification_id"] in swept["notification_ids"]

    await call(heard, "create_started_notification", **asked, p_scheduled_for=TOMORROW)
    assert await _news(heard) == [RowScheduled(OURS, TOMORROW)]
    left_to_listeners = await call(heard, "create_served_notification", **asked)
    assert await _news(heard) == [(left_to_listeners["notification_id"], ChangeType.INSERT, 3)]


async def test_what_a_trigger_of_the_projects_own_makes_of_such_a_row_rings(
    project: Project, heard: Connection
) -> None:
    await insert_workflow(heard, workflow_key="greet")
    await _rings(heard)
    async with project.connect("postgres") as owner:
        await owner.execute(
            """
            create function public.copy() returns trigger language plpgsql as $body$
            begin
                if new.name <> 'copy' then
                    insert into notify.ent_notification (name, enterprise_id, payload, recipients, publish_status)
                    values ('copy', new.enterprise_id, '{}', '{}', 'PUBLISH');
                end if;
                return null;
            end $body$;
            create trigger copy after insert on notify.ent_notification for each row execute function public.copy();
            """
        )
        try:
            made = await call(
                heard,
                "create_started_notification",
                p_enterprise_id=OURS,
                p_workflow_key="greet",
                p_recipients=[RECIPIENT],
                p_payload={},
            )
        finally:
            await owner.execute("drop function public.copy() cascade")

    copy = await heard.fetchval("select id from notify.ent_notification where name = 'copy'")
    assert await _news(heard) == [(copy, ChangeType.INSERT, 3)]
    assert copy != made["notification_id"]


async def test_a_row_that_went_out_and_is_retracted_rings_until_it_is_cancelled(heard: Connection) -> None:
    sent, unsent = await insert_notifications(heard, 2)
    await update(heard, [sent], "notification_status = 'SENT', transaction_id = 't'")
    await _rings(heard)

    await update(heard, [sent, unsent], "notification_status = 'RETRACTED'")
    assert await _news(heard) == [RowRetracted(OURS, sent)]
    await update(heard, [sent], "cancellation = '{}'")
    assert await _news(heard) == []


async def test_urgent_rows_say_so(heard: Connection) -> None:
    urgent = await heard.fetchval(
        "insert into notify.typ_notification_priority (name, sort_order, enterprise_id) values ('urgent', 1, $1)"
        " returning id",
        OURS,
    )
    row = await insert_notification(heard, typ_notification_priority_id=urgent)

    assert await _news(heard) == [(row, ChangeType.INSERT, 1)]
    await heard.execute("delete from notify.typ_notification_priority")


async def _insert_many(connection: Connection, rows: int, enterprise_ids: list[str]) -> None:
    kind = await connection.fetchval(
        "select format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'notify.ent_notification'::regclass and attname = 'enterprise_id'"
    )
    await connection.execute(
        "insert into notify.ent_notification (name, enterprise_id, payload, recipients, publish_status)"
        f" select 'row ' || n, ($2::text[])[1 + n % cardinality($2::text[])]::{kind}, '{{}}', '{{}}', 'PUBLISH'"
        " from generate_series(1, $1::int) as n",
        rows,
        enterprise_ids,
    )


async def test_a_statement_is_one_ring_for_each_enterprise_at_most_and_names_a_bounded_number_of_rows(
    heard: Connection,
) -> None:
    await _insert_many(heard, 5000, [OURS, THEIRS])

    rings = await _rings(heard)
    assert len(rings) <= 2
    news = [each for ring in rings for each in read_ring(ring, frozenset({OURS, THEIRS}))]
    named = [each.notification_id for each in news if isinstance(each, RowChange)]
    assert len(set(named)) == len(named) == 2000
    assert [each.enterprise_ids for each in news if isinstance(each, FeedLate)] == [{OURS}, {THEIRS}]


async def test_thousands_of_enterprises_are_as_many_rings_as_shards_and_all_of_them_are_named_or_swept(
    heard: Connection,
) -> None:
    enterprise_ids = [str(UUID(int=number)) for number in range(20_000)]
    await _insert_many(heard, 20_000, enterprise_ids)

    rings = await _rings(heard)
    assert len(rings) == SHARDS
    assert all(ring["more"] and len(ring["of"]) == 1000 for ring in rings)
    assert all(len(str(ring)) < 500_000 for ring in rings), "Realtime carries no more than 1 MiB"


async def test_rules_ring_for_what_their_scheduler_is_to_know(heard: Connection) -> None:
    workflow = await insert_workflow(heard)
    rule = await insert_rule(heard, workflow)
    assert await _news(heard) == [RuleChanged(OURS)]

    for assignment in ("trigger_config = '{}'", "deactivated = true", "rule_payload = '{}'"):
        await update_rule(heard, rule, assignment)
        assert await _news(heard) == [RuleChanged(OURS)], assignment
    for assignment in ("name = 'another'", "schedule_error = null"):
        await update_rule(heard, rule, assignment)
        assert await _news(heard) == [], assignment


async def test_a_hundred_workflows_that_are_paused_together_are_one_change_of_rules(heard: Connection) -> None:
    for _ in range(3):
        await insert_rule(heard, await insert_workflow(heard))
    await _rings(heard)

    await heard.execute("update notify.ent_notification_workflow set name = name || '!'")
    assert await _rings(heard) == []
    await heard.execute("update notify.ent_notification_workflow set deactivated = true")
    assert await _news(heard) == [RuleChanged(OURS)]


async def test_nobody_is_rung_for_where_nobody_has_listened_for_an_hour(heard: Connection) -> None:
    await heard.execute("update notify.listener_beat set beaten_at = now() - interval '61 minutes'")
    await insert_notification(heard)
    assert await _rings(heard) == []

    await call(heard, "sing", p_listener_id="listener", p_way=WAY)
    await heard.execute("delete from notify.doorbell")
    await insert_notification(heard)
    assert len(await _rings(heard)) == 1


async def test_a_beat_is_numbered_and_comes_by_the_doorbell(connection: Connection) -> None:
    beats = [await call(connection, "sing", p_listener_id=each, p_way=WAY) for each in ("a", "a", "b")]

    rows = await connection.fetch("select listener_id, shard, ring from notify.doorbell order by id")
    assert beats == [1, 2, 1]
    assert [(row["listener_id"], row["shard"], row["ring"]) for row in rows] == [
        ("a", None, {"beat": 1}),
        ("a", None, {"beat": 2}),
        ("b", None, {"beat": 1}),
    ]


@fresh
async def test_whoever_may_write_a_row_rings_without_any_right_to_the_doorbell(separate_project: Project) -> None:
    async with separate_project.connect() as connection:
        await call(connection, "sing", p_listener_id="listener", p_way=WAY)
    async with separate_project.connect("postgres") as owner:
        await owner.execute("grant usage on schema notify to authenticated")
        await owner.execute("grant insert, select on notify.ent_notification to authenticated")
        await owner.execute("create policy anybody on notify.ent_notification for all using (true)")
    async with separate_project.connect("authenticated") as writer:
        row = await insert_notification(writer)
    async with separate_project.connect() as connection:
        await connection.execute("delete from notify.doorbell where shard is null")
        assert await _news(connection) == [(row, ChangeType.INSERT, 3)]


HARM = {
    "the doorbell is locked": ("begin; lock table notify.doorbell in access exclusive mode", "rollback"),
    "the beats are locked": ("begin; lock table notify.listener_beat in access exclusive mode", "rollback"),
    "the doorbell is full": (
        "alter table notify.doorbell add constraint crowded check (shard is null) not valid",
        "alter table notify.doorbell drop constraint crowded",
    ),
    "the doorbell is gone": (
        "alter table notify.doorbell rename to bell",
        "alter table notify.bell rename to doorbell",
    ),
    "the function is gone": ("drop function notify.ring(jsonb)", "select"),
}


@fresh
async def test_a_writer_is_not_harmed(separate_project: Project) -> None:
    """It would wait for ever for the locks, which are held until it has written; what it does wait it is told."""
    async with separate_project.connect() as writer, separate_project.connect(SUPERUSER) as other, asyncio.timeout(120):
        await call(writer, "sing", p_listener_id="listener", p_way=WAY)
        rule = await insert_rule(writer, await insert_workflow(writer))
        rows = await insert_notifications(writer, 1)
        assert await writer.fetchval(
            "select array_agg(distinct setting) from pg_proc, unnest(proconfig) as setting"
            " where pronamespace = 'notify'::regnamespace and proname like 'ring_for_%' and setting like 'lock_%'"
        ) == ["lock_timeout=30ms"]
        await writer.execute("set statement_timeout = '20s'")
        for harm, mend in HARM.values():
            await other.execute(harm)

            rows += await insert_notifications(writer, 2)
            await update(writer, rows, "tags = '{a}'")
            await update_rule(writer, rule, "deactivated = not deactivated")

            await other.execute(mend)
        assert await writer.fetchval("select count(*) from notify.ent_notification where tags = '{a}'") == len(rows)


@fresh
async def test_a_ring_that_outlasts_the_writer_s_own_patience_is_given_up_and_not_the_row(
    separate_project: Project,
) -> None:
    async with separate_project.connect() as writer, separate_project.connect(SUPERUSER) as other:
        await call(writer, "sing", p_listener_id="listener", p_way=WAY)
        await insert_notification(writer)  # all that a first statement has to read and plan is behind it
        await other.execute("create function notify.dawdle() returns trigger language plpgsql as"
                            " $$ begin perform pg_sleep(60); return new; end $$")  # fmt: skip
        await other.execute("create trigger dawdle before insert on notify.doorbell"
                            " for each row execute function notify.dawdle()")  # fmt: skip
        await writer.execute("set statement_timeout = '3s'")

        await insert_notification(writer)

        assert await writer.fetchval("select count(*) from notify.ent_notification") == 2


async def test_the_doorbell_is_emptied_when_it_is_full_and_not_while_somebody_rings(
    project: Project, heard: Connection
) -> None:
    await heard.execute(
        "insert into notify.doorbell (ring) select jsonb_build_object('x', repeat('x', 1000))"
        " from generate_series(1, 5000)"
    )
    async with project.connect() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await insert_notification(writer)
        await call(heard, "sing", p_listener_id="listener", p_way=WAY)
        assert await heard.fetchval("select count(*) from notify.doorbell") > 5000
        await transaction.commit()

    await call(heard, "sing", p_listener_id="listener", p_way=WAY)

    rows = await heard.fetch("select ring from notify.doorbell")
    assert [row["ring"] for row in rows] == [{"beat": 3}]


DAMAGES = {
    "unpublished": (
        "alter publication supabase_realtime drop table notify.doorbell",
        "notify.doorbell is not in publication supabase_realtime",
    ),
    "no inserts": (
        "alter publication supabase_realtime set (publish = 'update')",
        "inserts into notify.doorbell are not published",
    ),
    "in part": (
        "alter publication supabase_realtime drop table notify.doorbell;"
        "alter publication supabase_realtime add table notify.doorbell (id)",
        "notify.doorbell is published in part only",
    ),
    "no grant": (
        "revoke select on notify.doorbell from service_role",
        "service_role may not select from notify.doorbell",
    ),
    "row-level security": (
        "alter table notify.doorbell enable row level security",
        "row-level security of notify.doorbell makes Realtime look for rows that are gone",
    ),
    "a trigger is off": (
        "alter table notify.ent_notification disable trigger ring_for_updated",
        "trigger ring_for_updated of notify.ent_notification does not fire",
    ),
}


@fresh
async def test_what_keeps_rings_from_the_listener_is_named_and_its_remedy_mends_it(separate_project: Project) -> None:
    async def flaws(connection: Connection) -> list[dict[str, str]]:
        answer = await call(connection, "look_out_for", p_enterprise_ids=[OURS], p_way=WAY)
        return list(answer["flaws"])

    async with separate_project.connect() as connection, separate_project.connect(SUPERUSER) as administrator:
        assert await flaws(connection) == []
        for statement, what in DAMAGES.values():
            await administrator.execute(statement)

            found = await flaws(connection)

            assert [flaw["what"] for flaw in found] == [what]
            await administrator.execute(found[0]["mend"])
            assert await flaws(connection) == []
