"""Who may do what in schema `notify` once the migrations are applied."""

import asyncpg
import pytest

from tests.integration.database.project import (
    FUNCTIONS,
    TABLES,
    Connection,
    Project,
    call,
    insert_notification,
    migrate,
)


async def test_every_table_but_the_doorbell_has_row_level_security_and_no_policy(project: Project) -> None:
    async with project.connect("postgres") as connection:
        secured = await connection.fetch(
            "select relname from pg_class"
            " where relnamespace = 'notify'::regnamespace and relkind = 'r' and relrowsecurity"
        )
        policies = await connection.fetch("select * from pg_policies where schemaname = 'notify'")

    assert {row["relname"] for row in secured} == TABLES - {"doorbell"}, "Realtime would look up rows that are gone"
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

        found = await call(connection, "public_access")

    assert (tables, functions, found) == ([], [], [])
    async with project.connect(role) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from notify.ent_notification")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("select notify.beat_canary('listener')")


async def test_what_the_public_roles_may_do_is_named(separate_project: Project) -> None:
    async with separate_project.connect("postgres") as connection:
        await connection.execute("grant select on notify.ent_notification to anon")
        await connection.execute("grant update (deactivated) on notify.ent_notification_rule to authenticated")
        await connection.execute("grant usage on sequence notify.ent_notification_id_seq to anon")
        await connection.execute("grant usage on schema notify to public")
    async with separate_project.connect() as connection:
        found = await call(connection, "public_access")

    assert found == [
        "schema notify",
        "sequence ent_notification_id_seq",
        "table ent_notification",
        "table ent_notification_rule",
    ]


async def test_default_privileges_of_the_schema_are_taken_back(separate_project: Project) -> None:
    async with separate_project.connect("postgres") as connection:
        defaults = await connection.fetchval(
            "select array_agg(distinct grantee::regrole::text) from pg_default_acl, aclexplode(defaclacl)"
            " where defaclnamespace = 'notify'::regnamespace and grantee <> 0"
        )

    assert set(defaults) == {"service_role"}


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
    await migrate(unmigrated)

    await owner.execute("create table notify.later (id bigint generated always as identity, word text)")

    await owner.execute("set role service_role")
    await owner.execute("insert into notify.later (word) values ('hello')")
    await owner.execute("set role anon")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetch("select * from notify.later")


async def test_every_function_but_what_writers_set_off_runs_as_its_caller_on_a_fixed_search_path(
    project: Project,
) -> None:
    async with project.connect("postgres") as connection:
        functions = await connection.fetch(
            "select proname, prosecdef, proconfig from pg_proc where pronamespace = 'notify'::regnamespace"
        )

    assert {row["proname"] for row in functions} == FUNCTIONS
    assert {row["proname"] for row in functions if row["prosecdef"]} == {
        "clear_doorbell",
        "fill_channels",
        "mark_unread_rules",
        "note_priority",
        "ring_for_enterprises",
        "ring_for_notifications",
        "ring_for_rules",
    }
    assert all('search_path=""' in row["proconfig"] for row in functions)
