"""One server for the session, a template database per shape of project, and a copy of one for every test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.integration.database.migrations import apply_migrations
from tests.integration.database.project import Connection, Project
from tests.integration.database.server import SUPABASE_ROLES, running_server

EXISTING_PROJECT = Path(__file__).with_name("existing_project.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The superuser's DSN, to which a database's name is appended; templates "fresh" and "existing" are made."""
    with running_server() as dsn:
        asyncio.run(_make_templates(dsn))
        yield dsn


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    """The DSN of a Supabase project without schema `notify`."""
    async for dsn in _copy_of("template0", server):
        yield dsn


@pytest.fixture(params=["fresh", "existing"])
async def project(request: pytest.FixtureRequest, server: str) -> AsyncIterator[Project]:
    """A migrated project; the existing one keeps none of its former rows."""
    async for dsn in _copy_of(request.param, server):
        yield Project(dsn, request.param)


@pytest.fixture
async def connection(project: Project) -> AsyncIterator[Connection]:
    """A connection to the project as `service_role`."""
    async with project.connect() as connection:
        yield connection


async def _make_templates(server: str) -> None:
    administrator = await asyncpg.connect(server + "postgres")
    try:
        await administrator.execute(SUPABASE_ROLES)
        for shape, before in (("fresh", "select"), ("existing", EXISTING_PROJECT)):
            await administrator.execute(f"create database {shape}")
            connection = await asyncpg.connect(server + shape)
            try:
                await connection.execute(before)
                await apply_migrations(connection)
                await connection.execute("delete from notify.ent_notification")
            finally:
                await connection.close()
    finally:
        await administrator.close()


async def _copy_of(template: str, server: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    administrator = await asyncpg.connect(server + "postgres")
    try:
        await administrator.execute(f"create database {name} template {template}")
        yield server + name
        await administrator.execute(f"drop database {name} with (force)")
    finally:
        await administrator.close()
