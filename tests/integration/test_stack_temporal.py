"""The stack's Temporal: what it knows survives its death, and is forgotten on request."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from stack.processes import PartFailed
from stack.temporal import NAMESPACE, Temporal


@pytest_asyncio.fixture
async def temporal(tmp_path: Path) -> AsyncIterator[Temporal]:
    server = Temporal(tmp_path)
    await server.start()
    yield server
    await server.stop()


async def start_workflow(temporal: Temporal) -> None:
    client = await Client.connect(temporal.address, namespace=NAMESPACE)
    await client.start_workflow("Waiting", id="waiting", task_queue="nobody-polls")


async def describe_workflow(temporal: Temporal) -> str:
    client = await Client.connect(temporal.address, namespace=NAMESPACE)
    description = await client.get_workflow_handle("waiting").describe()
    assert description.status is not None
    return description.status.name


async def test_the_user_interface_answers(temporal: Temporal) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.get(temporal.ui_url)

    assert response.status_code == httpx.codes.OK
    assert "text/html" in response.headers["content-type"]


async def test_workflows_survive_a_kill(temporal: Temporal) -> None:
    await start_workflow(temporal)
    address = temporal.address

    await temporal.kill()
    await temporal.start()

    assert temporal.address == address
    assert await describe_workflow(temporal) == "RUNNING"


async def test_a_deleted_database_forgets_every_workflow(temporal: Temporal) -> None:
    await start_workflow(temporal)

    await temporal.kill()
    temporal.delete_database()
    await temporal.start()

    with pytest.raises(RPCError) as refused:
        await describe_workflow(temporal)
    assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_the_database_of_a_running_server_is_not_deleted(temporal: Temporal) -> None:
    with pytest.raises(PartFailed, match="temporal is running"):
        temporal.delete_database()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PartFailed, match=f"temporal cannot start: port {port} is taken"):
            await Temporal(tmp_path, ui_port=port).start()
