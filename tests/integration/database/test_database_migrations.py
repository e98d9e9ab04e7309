"""The migrations on an empty project, on an existing one, and on their own result; who may do what afterwards."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from stack.migrations import MigrationFailed, apply_migrations
from stack.postgres import MIGRATIONS
from tests.integration.database.conftest import EXISTING_PROJECT
from tests.integration.database.project import RECIPIENT, Connection, Project, call, claim, ids_of, insert_notification

TABLES = {
    "ent_notification",
    "ent_notification_rule",
    "ent_notification_template",
    "ent_notification_workflow",
    "listener_canary",
    "typ_notification_category",
    "typ_notification_priority",
}
FUNCTIONS = {
    "beat_canary",
    "claim_notifications",
    "due_notifications",
    "record_outcomes",
    "release_claims",
    "renew_claims",
    "retract_notifications",
}
PUBLISHED = {"ent_notification", "ent_notification_rule", "listener_canary"}

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


@pytest.fixture
async def owner(unmigrated: Project) -> AsyncIterator[Connection]:
    """The owner's connection to a project without schema `notify`; as with Supabase, the owner is no superuser."""
    async with unmigrated.connect("postgres") as connection:
        yield connection


async def _migrate(project: Project) -> None:
    """Apply every migration, those applied before as well."""
    async with project.connect("postgres") as connection:
        await connection.execute("drop schema if exists supabase_migrations cascade")
    await apply_migrations(project.url, MIGRATIONS)


async def _rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(f"select * from notify.{table} order by id")]


async def _published(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "select schemaname || '.' || tablename as name from pg_publication_tables"
        " where pubname = 'supabase_realtime' and schemaname <> 'supabase_migrations'"
    )
    return {row["name"] for row in rows}


def test_every_migration_has_a_timestamp_of_its_own() -> None:
    names = [path.name for path in MIGRATIONS.iterdir()]

    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", name) for name in names)
    assert len({name[:14] for name in names}) == len(names)


async def test_an_empty_project_gets_tables_functions_and_opaque_ids(unmigrated: Project, owner: Connection) -> None:
    await _migrate(unmigrated)

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
    await _migrate(unmigrated)
    first = await owner.fetch(_SHAPE)

    await _migrate(unmigrated)

    assert await owner.fetch(_SHAPE) == first


async def test_an_existing_project_keeps_its_rows_types_and_indexes(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    shape_before = {tuple(row) for row in await owner.fetch(_SHAPE) if row["kind"] != "privileges"}
    notifications_before = await _rows(owner, "ent_notification")
    workflows_before = await _rows(owner, "ent_notification_workflow")

    await _migrate(unmigrated)

    assert shape_before <= {tuple(row) for row in await owner.fetch(_SHAPE)}
    added = {"claim_owner": None, "lease_expires_at": None, "attempts": 0, "deliver_before": None, "chunks_sent": 0}
    assert await _rows(owner, "ent_notification") == [{**row, **added} for row in notifications_before]
    assert await _rows(owner, "ent_notification_workflow") == workflows_before
    enums = await owner.fetch("select distinct typnamespace::regnamespace::text from pg_type where typtype = 'e'")
    assert [row[0] for row in enums] == ["shared_types"]


async def test_a_project_with_the_enums_but_few_tables_gets_the_rest_with_its_own_enums(
    unmigrated: Project,
    owner: Connection,
) -> None:
    await owner.execute(EXISTING_PROJECT)
    await owner.execute("drop table notify.ent_notification, notify.ent_notification_rule")

    await _migrate(unmigrated)

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
        await _migrate(unmigrated)


async def test_the_search_path_is_left_as_it_was(owner: Connection) -> None:
    before = await owner.fetchval("show search_path")

    for path in sorted(MIGRATIONS.iterdir()):
        await owner.execute(path.read_text(encoding="utf-8"))

    assert await owner.fetchval("show search_path") == before


@pytest.mark.parametrize(
    ("before", "others"),
    [
        ("drop publication supabase_realtime", set()),
        ("select", set()),
        (
            "create table public.theirs (id int primary key);"
            "alter publication supabase_realtime add table public.theirs",
            {"public.theirs"},
        ),
        (EXISTING_PROJECT + "alter publication supabase_realtime add table notify.ent_notification", set()),
        (
            "create schema notify; set role supabase_admin;"
            "alter publication supabase_realtime add tables in schema notify; set role postgres",
            {f"notify.{table}" for table in TABLES - PUBLISHED},
        ),
        (
            "drop publication supabase_realtime; set role supabase_admin;"
            "create publication supabase_realtime for all tables; set role postgres",
            {f"notify.{table}" for table in TABLES - PUBLISHED},
        ),
    ],
    ids=["absent", "empty", "with another table", "with our table", "for our schema", "for all tables"],
)
async def test_the_publication_has_our_tables_and_keeps_others(
    unmigrated: Project, owner: Connection, before: str, others: set[str]
) -> None:
    await owner.execute(before)

    await _migrate(unmigrated)

    assert await _published(owner) == {f"notify.{table}" for table in PUBLISHED} | others


async def test_whole_tables_are_published_without_filters(project: Project) -> None:
    async with project.connect("postgres") as connection:
        narrowed = await connection.fetch(
            "select * from pg_publication_rel where prqual is not null or prattrs is not null"
        )

    assert narrowed == []


async def test_a_table_without_replica_identity_gets_the_default_and_full_is_kept(
    unmigrated: Project, owner: Connection
) -> None:
    await owner.execute(EXISTING_PROJECT)
    await owner.execute("alter table notify.ent_notification replica identity nothing")
    await owner.execute("alter table notify.ent_notification_rule replica identity full")

    await _migrate(unmigrated)

    identities = [
        await owner.fetchval("select relreplident::text from pg_class where oid = $1::text::regclass", table)
        for table in ("notify.ent_notification", "notify.ent_notification_rule")
    ]
    assert identities == ["d", "f"]


async def test_every_table_has_row_level_security_and_no_policy(project: Project) -> None:
    async with project.connect("postgres") as connection:
        secured = await connection.fetch(
            "select relname from pg_class"
            " where relnamespace = 'notify'::regnamespace and relkind = 'r' and relrowsecurity"
        )
        policies = await connection.fetch("select * from pg_policies where schemaname = 'notify'")

    assert {row["relname"] for row in secured} == TABLES
    assert policies == []


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_the_public_roles_may_do_nothing(project: Project, role: str) -> None:
    async with project.connect("postgres") as connection:
        tables = await connection.fetch(
            "select oid::regclass::text from pg_class where relnamespace = 'notify'::regnamespace and relkind = 'r'"
            " and has_table_privilege($1, oid, 'select, insert, update, delete, truncate, references, trigger')",
            role,
        )
        functions = await connection.fetch(
            "select oid::regprocedure::text from pg_proc where pronamespace = 'notify'::regnamespace"
            " and has_function_privilege($1, oid, 'execute')",
            role,
        )

    assert (tables, functions) == ([], [])
    async with project.connect(role) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from notify.ent_notification")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("select notify.beat_canary('listener')")


async def test_the_service_role_may_read_and_write_every_table(project: Project) -> None:
    async with project.connect() as connection:
        await insert_notification(connection)
        for table in TABLES:
            assert await connection.fetch(f"select * from notify.{table} limit 1") is not None
            await connection.execute(f"delete from notify.{table}")


async def test_the_service_role_may_name_the_enums_as_rest_does_when_it_inserts(project: Project) -> None:
    async with project.connect() as connection:
        kind = await connection.fetchval(
            "select atttypid::regtype::text from pg_attribute"
            " where attrelid = 'notify.ent_notification'::regclass and attname = 'notification_status'"
        )

        assert await connection.fetchval(f"select 'SENT'::{kind}") == "SENT"


async def test_a_table_added_later_is_the_service_roles_too(unmigrated: Project, owner: Connection) -> None:
    await _migrate(unmigrated)

    await owner.execute("create table notify.later (id bigint generated always as identity, word text)")

    await owner.execute("set role service_role")
    await owner.execute("insert into notify.later (word) values ('hello')")
    await owner.execute("set role anon")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetch("select * from notify.later")


async def test_every_function_runs_as_its_caller_on_a_fixed_search_path(project: Project) -> None:
    async with project.connect("postgres") as connection:
        functions = await connection.fetch(
            "select proname, prosecdef, proconfig from pg_proc where pronamespace = 'notify'::regnamespace"
        )

    assert {row["proname"] for row in functions} == FUNCTIONS
    assert not any(row["prosecdef"] for row in functions)
    assert all('search_path=""' in row["proconfig"] for row in functions)


async def test_an_existing_projects_rows_can_be_claimed(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    await _migrate(unmigrated)
    enterprise_id = "00000000-0000-4000-8000-0000000000aa"

    async with unmigrated.connect() as connection:
        [page] = await call(connection, "due_notifications", p_enterprise_ids=[enterprise_id], p_page_size=10)
        answer = await claim(connection, page["notification_ids"], enterprise_id=enterprise_id)

    assert page["notification_ids"] == [1, 2]
    assert ids_of(answer) == [1, 2]
    assert [row["recipients"] for row in answer["notifications"]] == [[RECIPIENT], [RECIPIENT]]
