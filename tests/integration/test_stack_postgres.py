"""The stack's PostgreSQL: a Supabase project that survives restarts."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from stack.postgres import Postgres
from stack.processes import PartFailed
from tests.integration.process_ends import assert_gone

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLE = "create table public.kitchen (id int primary key);"


@pytest.fixture(scope="module")
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrations")
    (folder / "20260101000000_kitchen.sql").write_text(TABLE)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres(tmp_path_factory: pytest.TempPathFactory, migrations: Path) -> AsyncIterator[Postgres]:
    async with Postgres(tmp_path_factory.mktemp("postgres"), migrations=migrations) as running:
        yield running


async def fetch_value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_changes_can_be_decoded_and_a_commit_waits_for_the_disk(postgres: Postgres) -> None:
    for setting, value in {"wal_level": "logical", "synchronous_commit": "on", "fsync": "on"}.items():
        assert await fetch_value(postgres.url, f"select current_setting('{setting}')") == value


async def test_the_roles_are_those_of_a_supabase_project(postgres: Postgres) -> None:
    roles = await fetch_value(
        postgres.url,
        """
        select json_object_agg(rolname, array[rolcanlogin, rolinherit, rolbypassrls, rolsuper])::text
          from pg_roles where rolname not like 'pg\\_%'
        """,
    )

    assert roles is not None
    expected = {
        "anon": "[false,false,false,false]",
        "authenticated": "[false,false,false,false]",
        "service_role": "[false,false,true,false]",
        "authenticator": "[true,false,false,false]",
        "postgres": "[true,true,true,false]",
        "supabase_admin": "[true,true,true,true]",
    }
    for role, flags in expected.items():
        assert f'"{role}" : {flags}' in str(roles)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
async def test_the_authenticator_can_become_each_api_role(postgres: Postgres, role: str) -> None:
    connection = await asyncpg.connect(postgres.database_url("postgres", user="authenticator"))
    try:
        await connection.execute(f"set role {role}")

        assert await connection.fetchval("select current_user") == role
    finally:
        await connection.close()


async def test_a_migration_runs_once_as_the_role_postgres_and_is_recorded(postgres: Postgres) -> None:
    await postgres.restart()

    recorded = "select array_agg((version, name, statements)::text) from supabase_migrations.schema_migrations"
    owner = "select tableowner from pg_tables where tablename = 'kitchen'"
    assert await fetch_value(postgres.url, recorded) == [f'(20260101000000,kitchen,"{{""{TABLE}""}}")']
    assert await fetch_value(postgres.url, owner) == "postgres"


async def test_a_new_database_is_a_fresh_project(postgres: Postgres) -> None:
    url = await postgres.create_database("fresh")

    assert await fetch_value(url, "select pubname from pg_publication") == "supabase_realtime"
    assert await fetch_value(url, "select to_regclass('public.kitchen')") is None


async def test_a_copy_of_the_migrated_database_has_its_tables(postgres: Postgres) -> None:
    url = await postgres.create_database("copy", template="postgres")

    assert await fetch_value(url, "select to_regclass('public.kitchen')::text") == "kitchen"


async def test_a_dropped_database_is_gone_whoever_is_connected(postgres: Postgres) -> None:
    connection = await asyncpg.connect(await postgres.create_database("dropped"))

    await postgres.drop_database("dropped")

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(postgres.database_url("dropped"))
    connection.terminate()


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill])
async def test_committed_rows_are_there_after_a_stop_and_after_a_kill(
    postgres: Postgres, end: Callable[[Postgres], Awaitable[None]]
) -> None:
    url = postgres.url
    number = 1 if end is Postgres.stop else 2
    connection = await asyncpg.connect(url)
    await connection.execute(f"insert into kitchen values ({number})")
    postmaster = psutil.Process(postgres.pid)
    family = [postmaster, *postmaster.children(recursive=True)]

    await end(postgres)
    connection.terminate()
    assert_gone(family, within_seconds=0)
    await postgres.start()

    assert postgres.url == url
    assert await fetch_value(url, f"select true from kitchen where id = {number}")


async def test_a_first_start_that_was_cut_short_is_begun_again(tmp_path: Path, migrations: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("18")

    async with Postgres(tmp_path, migrations=migrations) as postgres:
        assert await fetch_value(postgres.url, "select to_regclass('public.kitchen')::text") == "kitchen"


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PartFailed, match=f"postgres cannot start: port {port} is taken"):
            await Postgres(tmp_path, port=port).start()


async def test_a_broken_migration_is_named_with_its_line_and_nothing_keeps_running(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_broken.sql").write_text("select 1;\nselect kitchen from nowhere;\n")
    broken = Postgres(tmp_path / "state", migrations=tmp_path)

    with pytest.raises(PartFailed, match=r"postgres: migration 20260101000000_broken.sql, line 2: .*nowhere.*42P01"):
        await broken.__aenter__()

    assert broken.pid is None


async def test_a_missing_folder_of_migrations_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"no folder of migrations at .*nowhere"):
        await Postgres(tmp_path / "state", migrations=tmp_path / "nowhere").__aenter__()
