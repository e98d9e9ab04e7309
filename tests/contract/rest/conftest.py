"""A real PostgreSQL and a real edge process for each test process; every test finds the tables empty."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import jwt
import pytest
import pytest_asyncio
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from stack.postgres import Postgres
from tests.contract.rest.edge_process import SECRET, EdgeProcess
from tests.contract.rest.rows import Database, prepare

session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")


@session_fixture
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    async with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        await prepare(server.url)
        yield server


@session_fixture
async def edge(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(postgres.url, tmp_path_factory.mktemp("edge")) as process:
        yield process


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """A superuser's connection, for arranging and for looking behind the edge."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(
        "truncate public.items, public.parts, public.lines, public.notes, notify.only_here restart identity"
    )
    yield connection
    await connection.close()


@pytest.fixture
def service_key() -> str:
    return jwt.encode({"role": "service_role", "iss": "supabase"}, SECRET)


@pytest.fixture
def anon_key() -> str:
    return jwt.encode({"role": "anon", "iss": "supabase"}, SECRET)


@pytest_asyncio.fixture
async def http(edge: EdgeProcess, service_key: str, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Bare HTTP with the service key, for what supabase-py would never send."""
    headers = {"apikey": service_key, "Authorization": f"Bearer {service_key}"}
    async with httpx.AsyncClient(base_url=f"{edge.url}/rest/v1", headers=headers) as client:
        yield client


@pytest_asyncio.fixture
async def supabase(edge: EdgeProcess, service_key: str, database: Database) -> AsyncIterator[AsyncClient]:
    """The client our worker uses, with the service key."""
    async with httpx.AsyncClient() as session:
        yield await create_async_client(edge.url, service_key, AsyncClientOptions(httpx_client=session))


@pytest_asyncio.fixture
async def anonymous(edge: EdgeProcess, anon_key: str, database: Database) -> AsyncIterator[AsyncClient]:
    async with httpx.AsyncClient() as session:
        yield await create_async_client(edge.url, anon_key, AsyncClientOptions(httpx_client=session))
