"""What the migrations publish to Realtime."""

import pytest

from tests.integration.database.project import EXISTING_PROJECT, TABLES, Connection, Project, migrate

WATCHED = {"ent_notification", "ent_notification_rule", "listener_canary"}
"""By listeners of earlier releases, and perhaps by a project's own users."""


async def _published(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "select schemaname || '.' || tablename as name from pg_publication_tables"
        " where pubname = 'supabase_realtime' and schemaname <> 'supabase_migrations'"
    )
    return {row["name"] for row in rows}


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
        (
            EXISTING_PROJECT + "alter publication supabase_realtime add table notify.ent_notification",
            {f"notify.{table}" for table in WATCHED},
        ),
        (
            "create schema notify; set role supabase_admin;"
            "alter publication supabase_realtime add tables in schema notify; set role postgres",
            {f"notify.{table}" for table in TABLES},
        ),
        (
            "drop publication supabase_realtime; set role supabase_admin;"
            "create publication supabase_realtime for all tables; set role postgres",
            {f"notify.{table}" for table in TABLES},
        ),
    ],
    ids=["absent", "empty", "with another table", "with our table and rows", "for our schema", "for all tables"],
)
async def test_the_publication_has_the_doorbell_and_keeps_what_others_may_hear(
    unmigrated: Project, owner: Connection, before: str, others: set[str]
) -> None:
    await owner.execute(before)

    await migrate(unmigrated)

    assert await _published(owner) == {"notify.doorbell"} | others


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

    await migrate(unmigrated)

    identities = [
        await owner.fetchval("select relreplident::text from pg_class where oid = $1::text::regclass", table)
        for table in ("notify.ent_notification", "notify.ent_notification_rule")
    ]
    assert identities == ["d", "f"]
