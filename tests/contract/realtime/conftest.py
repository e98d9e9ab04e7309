"""A real PostgreSQL for each test process, a whole edge for each test that wants one, with short delays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from stack.edge.realtime.settings import RealtimeSettings
from stack.postgres import Postgres
from tests.contract.realtime.edge_server import Edge, edge_process
from tests.contract.realtime.phoenix_client import PhoenixClient, connected

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TABLES = Path(__file__).with_name("tables.sql")

QUICK = RealtimeSettings(
    poll_interval_ms=10,
    idle_poll_interval_ms=20,
    connect_error_delay_seconds=0.1,
    join_error_delay_seconds=0.3,
    subscribe_retry_seconds=0.03,
    retry_min_seconds=0.01,
    retry_max_seconds=0.05,
    max_events_per_second=1_000_000,
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    async with Postgres(tmp_path_factory.mktemp("postgres"), migrations=None) as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute(TABLES.read_text(encoding="utf-8"))
        await connection.close()
        yield server


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """A superuser's connection. The tables are as the test before left them: nobody reads old rows here."""
    connection = await asyncpg.connect(postgres.url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def edge(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """One process for all tests of this one that are content with quick settings; its slot is warm after the first."""
    async with edge_process(postgres.url, QUICK, tmp_path_factory.mktemp("edge")) as running:
        yield running


@pytest_asyncio.fixture
async def client(edge: Edge) -> AsyncIterator[PhoenixClient]:
    async with connected(edge) as opened:
        yield opened
