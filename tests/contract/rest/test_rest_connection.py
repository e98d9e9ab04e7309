"""The connection to PostgreSQL: as whom it is made, and what happens when it goes away and comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import jwt
import pytest
import pytest_asyncio

from stack.postgres import Postgres
from tests.contract.rest.edge_process import SECRET, EdgeProcess

# The server's process belongs to the session's event loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def client(edge: EdgeProcess, service_key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": service_key, "Authorization": f"Bearer {service_key}"}
    async with httpx.AsyncClient(base_url=f"{edge.url}/rest/v1", headers=headers) as session:
        yield session


async def test_while_postgresql_is_down_requests_get_503_and_afterwards_they_are_served(
    postgres: Postgres, client: httpx.AsyncClient
) -> None:
    before = await client.post("/rpc/add", json={"a": 1})
    await postgres.stop()
    try:
        down = await client.post("/rpc/add", json={"a": 1})
    finally:
        await postgres.start()

    after = await client.post("/rpc/add", json={"a": 1})

    assert (before.status_code, after.status_code) == (200, 200)
    assert down.status_code == 503
    assert down.json()["code"] == "PGRST000"
    assert down.json()["message"] == "Database connection error. Retrying the connection."
    assert down.headers["Retry-After"] == "1"


async def test_an_edge_that_starts_before_postgresql_serves_once_it_is_there(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, client: httpx.AsyncClient
) -> None:
    await postgres.stop()
    async with EdgeProcess(postgres.url, tmp_path_factory.mktemp("early")) as early:
        try:
            down = await client.post(f"{early.url}/rest/v1/rpc/add", json={"a": 1})
        finally:
            await postgres.start()

        served = await client.post(f"{early.url}/rest/v1/rpc/add", json={"a": 1})

    assert (down.status_code, down.json()["code"]) == (503, "PGRST002")
    assert (served.status_code, served.json()) == (200, 11)


@pytest.mark.parametrize("user", ["authenticator", "supabase_admin"])
async def test_whichever_role_the_url_names_the_edge_acts_as_the_authenticator(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, client: httpx.AsyncClient, user: str
) -> None:
    postgres_token = jwt.encode({"role": "postgres"}, SECRET)
    url = postgres.database_url("postgres", user)

    async with EdgeProcess(url, tmp_path_factory.mktemp(user)) as edge:
        served = await client.get(f"{edge.url}/rest/v1/rpc/whoami")
        refused = await client.get(
            f"{edge.url}/rest/v1/rpc/whoami", headers={"Authorization": f"Bearer {postgres_token}"}
        )

    assert served.json()["role"] == "service_role"
    assert (refused.status_code, refused.json()["message"]) == (403, 'permission denied to set role "postgres"')


async def test_a_request_whose_connection_is_cut_gets_503_and_changes_nothing(client: httpx.AsyncClient) -> None:
    response = await client.post("/rpc/cut", json={"new_name": "cut"})
    afterwards = await client.get("/items?name=eq.cut")

    assert (response.status_code, response.json()["code"]) == (503, "PGRST001")
    assert (afterwards.status_code, afterwards.json()) == (200, [])
