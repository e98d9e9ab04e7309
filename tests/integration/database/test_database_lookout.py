"""look_out and read_cron_rules: what a scheduler has not read, and what keeps row changes from a listener."""

import asyncio
from typing import Any

import asyncpg
import pytest

from stack.postgres import SUPERUSER
from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    Project,
    call,
    insert_rule,
    insert_workflow,
    update_rule,
)


async def _look(connection: Connection) -> dict[str, Any]:
    answer: dict[str, Any] = await call(connection, "look_out", p_enterprise_ids=[OURS, THEIRS])
    return answer


async def _unread(connection: Connection) -> set[str]:
    return set((await _look(connection))["unread_rules"])


async def _marks(connection: Connection) -> int:
    count: int = await connection.fetchval("select count(*) from notify.unread_rules")
    return count


async def test_a_rule_is_unread_from_its_insertion_until_its_scheduler_reads_it(connection: Connection) -> None:
    assert await _unread(connection) == set()
    rule = await insert_rule(connection, await insert_workflow(connection))

    ages = (await _look(connection))["unread_rules"]
    assert set(ages) == {OURS}
    assert 0 <= ages[OURS] < 60

    answer = await call(connection, "read_cron_rules", p_enterprise_id=OURS)
    assert [each["id"] for each in answer["rules"]] == [rule]
    assert await _unread(connection) == set()


@pytest.mark.parametrize(
    ("assignments", "unread"),
    [
        ('trigger_config = \'{"cron": "@daily"}\'', True),
        ("deactivated = true", True),
        ("publish_status = 'DRAFT'", True),
        ("schedule_error = 'it cannot fire'", False),
        ("name = 'another'", False),
        ("rule_payload = '{\"recipients\": []}'", False),
    ],
)
async def test_what_changes_a_schedule_is_unread_and_the_scheduler_s_own_notes_are_not(
    connection: Connection, assignments: str, unread: bool
) -> None:
    rule = await insert_rule(connection, await insert_workflow(connection))
    await call(connection, "read_cron_rules", p_enterprise_id=OURS)

    await update_rule(connection, rule, assignments)

    assert await _unread(connection) == ({OURS} if unread else set())


async def test_a_paused_workflow_a_deleted_rule_and_one_that_moves_away_are_unread_too(connection: Connection) -> None:
    workflow = await insert_workflow(connection)
    rule = await insert_rule(connection, workflow)
    await call(connection, "read_cron_rules", p_enterprise_id=OURS)

    await connection.execute("update notify.ent_notification_workflow set deactivated = true where id = $1", workflow)
    assert await _unread(connection) == {OURS}
    await call(connection, "read_cron_rules", p_enterprise_id=OURS)

    await connection.execute("delete from notify.ent_notification_rule where id = $1", rule)
    assert await _unread(connection) == {OURS}


async def test_thousands_of_rules_in_one_statement_and_many_statements_unread_are_one_mark(
    connection: Connection,
) -> None:
    workflow = await insert_workflow(connection)
    await connection.execute(
        "insert into notify.ent_notification_rule"
        " (name, notification_workflow_id, trigger_type, enterprise_id, publish_status)"
        " select 'rule ' || n, $1, 'CRON', enterprise_id, 'PUBLISH'"
        " from notify.ent_notification_workflow, generate_series(1, 2000) as n",
        workflow,
    )
    for rule in await connection.fetch("select id from notify.ent_notification_rule limit 20"):
        await update_rule(connection, rule["id"], "deactivated = true")

    assert await _marks(connection) == 1


async def test_a_change_that_commits_after_the_scheduler_has_read_stays_unread(
    project: Project, connection: Connection
) -> None:
    """Also where it found the mark of another change and left none of its own."""
    workflow = await insert_workflow(connection)
    await insert_rule(connection, workflow)
    async with project.connect() as other:
        transaction = other.transaction()
        await transaction.start()
        late = await insert_rule(other, workflow)

        async with asyncio.timeout(60):  # nobody waits for the open transaction
            before = await call(connection, "read_cron_rules", p_enterprise_id=OURS)
        await transaction.commit()

    assert late not in [rule["id"] for rule in before["rules"]]
    assert await _unread(connection) == {OURS}
    after = await call(connection, "read_cron_rules", p_enterprise_id=OURS)
    assert late in [rule["id"] for rule in after["rules"]]
    assert await _unread(connection) == set()


async def test_two_transactions_that_change_rules_crosswise_do_not_wait_for_each_other(
    project: Project, connection: Connection
) -> None:
    workflows = {each: await insert_workflow(connection, enterprise_id=each) for each in (OURS, THEIRS)}
    async with project.connect() as one, project.connect() as two, asyncio.timeout(60):
        first, second = one.transaction(), two.transaction()
        await first.start()
        await second.start()
        await insert_rule(one, workflows[OURS], enterprise_id=OURS)
        await insert_rule(two, workflows[THEIRS], enterprise_id=THEIRS)
        await insert_rule(one, workflows[THEIRS], enterprise_id=THEIRS)
        await insert_rule(two, workflows[OURS], enterprise_id=OURS)
        await first.commit()
        await second.commit()

    assert await _unread(connection) == {OURS, THEIRS}


async def test_whoever_may_write_a_rule_leaves_a_mark_without_any_right_to_the_table_of_marks(
    separate_project: Project,
) -> None:
    async with separate_project.connect("postgres") as owner:
        workflow = await insert_workflow(owner)
        await owner.execute("grant usage on schema notify to authenticated")
        await owner.execute("grant insert, select on notify.ent_notification_rule to authenticated")
        await owner.execute("grant usage on all sequences in schema notify to authenticated")
        await owner.execute("create policy anybody on notify.ent_notification_rule for all using (true)")
        await owner.execute("grant usage on schema shared_types to authenticated") if await owner.fetchval(
            "select exists (select from pg_namespace where nspname = 'shared_types')"
        ) else None
    async with separate_project.connect("authenticated") as writer:
        await insert_rule(writer, workflow)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await writer.fetch("select * from notify.unread_rules")
    async with separate_project.connect() as connection:
        assert await _unread(connection) == {OURS}


DAMAGES = {
    "unpublished": (
        "alter publication supabase_realtime drop table notify.ent_notification",
        "notify.ent_notification is not in publication supabase_realtime",
    ),
    "no updates": (
        "alter publication supabase_realtime set (publish = 'insert')",
        "inserts or updates of notify.ent_notification are not published",
    ),
    "in part": (
        "alter publication supabase_realtime drop table notify.ent_notification_rule;"
        "alter publication supabase_realtime add table notify.ent_notification_rule (id)",
        "notify.ent_notification_rule is published in part only",
    ),
    "no identity": (
        "alter table notify.listener_canary replica identity nothing",
        "notify.listener_canary has no replica identity",
    ),
    "no grant": (
        "revoke select on notify.ent_notification from service_role",
        "service_role may not select from notify.ent_notification",
    ),
    "row-level security": (
        "alter table notify.ent_notification_rule force row level security; alter role service_role nobypassrls",
        "row-level security keeps rows of notify.ent_notification_rule from service_role",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("separate_project", ["existing"], indirect=True)
async def test_what_keeps_changes_from_a_listener_of_an_earlier_release_is_named_and_its_remedy_mends_it(
    separate_project: Project, damage: str
) -> None:
    """It hears the tables themselves, which stay published where there were rows before."""
    statement, what = DAMAGES[damage]
    async with separate_project.connect() as connection, separate_project.connect(SUPERUSER) as administrator:
        assert (await _look(connection))["flaws"] == []
        try:
            await administrator.execute(statement)
            flaws = (await _look(connection))["flaws"]
        finally:
            await administrator.execute("alter role service_role bypassrls")

        assert what in [flaw["what"] for flaw in flaws]
        for remedy in dict.fromkeys(flaw["mend"] for flaw in flaws):
            await administrator.execute(remedy)
        assert (await _look(connection))["flaws"] == []
