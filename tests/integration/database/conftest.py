"""One server for the session, with one database for each shape of project; every test leaves it without rows.

`make test-partitioned` has the shape `partitioned` instead: fresh, and with its notifications in partitions.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from stack.postgres import Postgres
from tests.integration.database.project import EXISTING_PROJECT, Connection, Project, migrate, partition

SHAPES = os.environ.get("XNOVU_DATABASE_SHAPES", "fresh,existing").split(",")

_TABLES = (
    "ent_notification",
    "ent_notification_workflow",
    "ent_notification_template",
    "listener_canary",
    "listener_beat",
    "listener_share",
    "doorbell",
    "scaler",
    "scheduler_pass",
    "component_heartbeat",
    "delivery_fault",
    "delivery_account",
    "delivery_reader",
    "unread_rules",
    "enterprise",
    "novu_workflow",
    "novu_rate",
    "recipient",
    "recipient_kept",
    "refused_update",
)
"""All that have rows, those that refer to others first."""

_OTHERWISE_IN_PARTITIONS = {
    "test_every_table_but_the_doorbell_has_row_level_security_and_no_policy": "there are more tables",
    "test_no_two_rows_can_have_one_key": "two of different enterprises can",
    "test_what_no_update_can_pass_is_no_rows_fault_and_is_tried_again": "a replica identity is each partition's own",
    "test_what_the_project_will_not_let_go_is_told_and_the_rest_goes": "no foreign key refers to an id alone",
}
"""Decision 103."""

_WITHOUT_ROWS = "".join(f"delete from notify.{table};" for table in _TABLES)
"""In one message: a thousand tests end with it."""


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A directory that the account PostgreSQL runs as may enter; pytest's own are closed to it."""
    directory = Path(tempfile.mkdtemp(prefix="xnovu-postgres-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(server_directory: Path) -> AsyncIterator[Postgres]:
    """A server with a migrated database for each shape."""
    async with Postgres(server_directory, migrations=None) as postgres:
        await _make_project(postgres, "fresh", "select")
        await _make_project(postgres, "existing", EXISTING_PROJECT)
        yield postgres


@pytest.fixture
async def unmigrated(server: Postgres) -> AsyncIterator[Project]:
    """A Supabase project without schema `notify`."""
    async for url in _copy_of("template1", server):
        yield Project(url, "unmigrated")


@pytest.fixture
async def owner(unmigrated: Project) -> AsyncIterator[Connection]:
    """The owner's connection to a project without schema `notify`; as with Supabase, the owner is no superuser."""
    async with unmigrated.connect("postgres") as connection:
        yield connection


@pytest.fixture(params=SHAPES)
async def project(request: pytest.FixtureRequest, server: Postgres) -> AsyncIterator[Project]:
    """A migrated project without rows."""
    project = Project(server.database_url(request.param), request.param)
    yield project
    await _delete_rows(project)


@pytest.fixture(params=SHAPES)
async def separate_project(request: pytest.FixtureRequest, server: Postgres) -> AsyncIterator[Project]:
    """A migrated project that no other test sees: for what deleting rows does not undo."""
    async for url in _copy_of(request.param, server):
        yield Project(url, request.param)


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse="partitioned" in SHAPES)
async def partitions(server: Postgres) -> Project:
    """A fresh project whose notifications are in partitions."""
    project = Project(await server.create_database("partitioned", "fresh"), "partitioned")
    await partition(project)
    return project


@pytest.fixture
async def partitioned(partitions: Project) -> AsyncIterator[Project]:
    """That one, without rows."""
    yield partitions
    await _delete_rows(partitions)


@pytest.fixture
async def connection(project: Project) -> AsyncIterator[Connection]:
    """A connection to the project as `service_role`."""
    async with project.connect() as connection:
        yield connection


async def _make_project(server: Postgres, shape: str, before: str) -> None:
    project = Project(await server.create_database(shape), shape)
    async with project.connect("postgres") as connection:
        await connection.execute(before)
    await migrate(project)
    await _delete_rows(project)


async def _delete_rows(project: Project) -> None:
    async with project.connect() as connection:
        await connection.execute(_WITHOUT_ROWS)


async def _copy_of(template: str, server: Postgres) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    yield await server.create_database(name, template)
    await server.drop_database(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is otherwise where notifications are in partitions is left out there."""
    for item in items:
        reason = _OTHERWISE_IN_PARTITIONS.get(item.name.split("[")[0])
        if reason and "[partitioned" in item.name:
            item.add_marker(pytest.mark.skip(reason=reason))
