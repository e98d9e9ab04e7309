"""The migrations on an empty project, on an existing one, and on their own result."""

import re
from typing import Any

import pytest

from stack.migrations import MigrationFailed
from stack.postgres import MIGRATIONS
from tests.integration.database.project import (
    EXISTING_PROJECT,
    FUNCTIONS,
    RECIPIENT,
    TABLES,
    Connection,
    Project,
    call,
    claim,
    ids_of,
    migrate,
)

_SHAPE = """
select 'column' as kind, table_name || '.' || column_name as name,
    concat_ws(' ', udt_schema, udt_name, is_nullable, column_default) as definition
from information_schema.columns where table_schema in ('notify', 'shared_types')
union all
select 'index', indexname, indexdef from pg_indexes where schemaname = 'notify'
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'notify'::regnamespace
union all
select 'type', oid::regtype::text, '' from pg_type where typtype = 'e'
union all
select 'function', proname, prosrc from pg_proc where pronamespace = 'notify'::regnamespace
union all
select 'privileges', relname, relacl::text || relrowsecurity::text from pg_class
where relnamespace = 'notify'::regnamespace and relkind in ('r', 'S')
union all
select 'privileges', proname, proacl::text from pg_proc where pronamespace = 'notify'::regnamespace
union all
select 'published', tablename, rowfilter from pg_publication_tables
order by 1, 2, 3
"""


async def _rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(f"select * from notify.{table} order by id")]


def test_every_migration_has_a_timestamp_of_its_own() -> None:
    names = [path.name for path in MIGRATIONS.iterdir()]

    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names)
    assert len({name[:14] for name in names}) == len(names)


async def test_an_empty_project_gets_tables_functions_and_opaque_ids(unmigrated: Project, owner: Connection) -> None:
    await migrate(unmigrated)

    tables = await owner.fetch("select tablename from pg_tables where schemaname = 'notify'")
    functions = await owner.fetch("select proname from pg_proc where pronamespace = 'notify'::regnamespace")
    assert {row["tablename"] for row in tables} == TABLES
    assert {row["proname"] for row in functions} == FUNCTIONS
    identity = await owner.fetchval(
        "insert into notify.ent_notification (name, payload, recipients, enterprise_id)"
        " values ('hello', '{}', '{subscriber-1}', 'acme') returning id"
    )
    row = await owner.fetchrow("select * from notify.ent_notification where id = $1", identity)
    assert row is not None
    assert (row["notification_status"], row["publish_status"], row["channels"]) == ("PENDING", "DRAFT", ["IN_APP"])


@pytest.mark.parametrize("before", ["select", EXISTING_PROJECT], ids=["fresh", "existing"])
async def test_a_second_application_changes_nothing(unmigrated: Project, owner: Connection, before: str) -> None:
    await owner.execute(before)
    await migrate(unmigrated)
    first = await owner.fetch(_SHAPE)

    await migrate(unmigrated)

    assert await owner.fetch(_SHAPE) == first


async def test_an_existing_project_keeps_its_rows_types_and_indexes(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    shape_before = {tuple(row) for row in await owner.fetch(_SHAPE) if row["kind"] != "privileges"}
    notifications_before = await _rows(owner, "ent_notification")
    workflows_before = await _rows(owner, "ent_notification_workflow")

    await migrate(unmigrated)

    [lost] = shape_before - {tuple(row) for row in await owner.fetch(_SHAPE)}
    assert lost[:2] == ("column", "ent_notification.channels"), "its default alone: a trigger fills it in"
    added = {
        "claim_owner": None,
        "lease_expires_at": None,
        "attempts": 0,
        "deliver_before": None,
        "chunks_sent": 0,
        "cancellation": None,
        "delivery_priority": None,
        "delivery": None,
        "transaction_base": None,
        "awaits_answer": False,
        "in_doubt_since": None,
        "doubtful_repeats": 0,
        "idempotency_round": 0,
        "chunks_beyond": None,
    }
    migrated = await _rows(owner, "ent_notification")
    keys = [row.pop("delivery_key") for row in migrated]
    assert migrated == [{**row, **added} for row in notifications_before]
    waiting = [row["notification_status"] == "PENDING" for row in migrated]
    assert [key is not None for key in keys] == waiting, "who waits has a key, and what was sent is not written again"
    unasked = {"second_tries": 0, "second_try_after_seconds": 600, "second_try_causes": ["provider_error"]}
    assert await _rows(owner, "ent_notification_workflow") == [{**row, **unasked} for row in workflows_before]
    enums = await owner.fetch("select distinct typnamespace::regnamespace::text from pg_type where typtype = 'e'")
    assert [row[0] for row in enums] == ["shared_types"]


async def test_missing_tables_are_made_with_the_projects_own_enums(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    await owner.execute("drop table notify.ent_notification, notify.ent_notification_rule")

    await migrate(unmigrated)

    kind = await owner.fetchval(
        "select format_type(atttypid, null) from pg_attribute"
        " where attrelid = 'notify.ent_notification'::regclass and attname = 'notification_status'"
    )
    assert kind == "shared_types.notification_status"


async def test_an_enum_that_lacks_a_status_is_refused_by_name(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(
        "create schema shared_types; create type shared_types.notification_status as enum ('PENDING', 'SENT')"
    )

    with pytest.raises(MigrationFailed, match=r"shared_types\.notification_status lacks RETRACTED"):
        await migrate(unmigrated)


async def test_the_search_path_is_left_as_it_was(owner: Connection) -> None:
    before = await owner.fetchval("show search_path")

    for path in sorted(MIGRATIONS.iterdir()):
        await owner.execute(path.read_text(encoding="utf-8"))

    assert await owner.fetchval("show search_path") == before


async def test_an_existing_projects_rows_can_be_claimed(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    await migrate(unmigrated)
    enterprise_id = "00000000-0000-4000-8000-0000000000aa"

    async with unmigrated.connect() as connection:
        [page] = await call(connection, "due_notifications", p_enterprise_ids=[enterprise_id], p_page_size=10)
        answer = await claim(connection, page["notification_ids"], enterprise_id=enterprise_id)

    assert page["notification_ids"] == [1, 2]
    assert ids_of(answer) == [1, 2]
    assert [row["recipients"] for row in answer["notifications"]] == [[RECIPIENT], [RECIPIENT]]
