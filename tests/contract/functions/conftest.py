"""The trigger function on the real stack, and every connection closed after each test."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import asyncpg
import pytest
from temporalio.client import Client

from shared.temporal import client as temporal_client
from tests.contract.functions.bench import Bench, functions_environment, open_function, seed


@pytest.fixture
async def bench(local_stack: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    connection = await asyncpg.connect(local_stack["XNOVU_STACK_POSTGRES_URL"])
    try:
        ours, theirs, workflow_key = await seed(connection)
        environment = functions_environment(local_stack, ours.enterprise_id, theirs.enterprise_id)
        async with open_function("trigger", environment, monkeypatch) as trigger:
            yield Bench(trigger, connection, environment, ours, theirs, workflow_key)
    finally:
        await connection.close()


@pytest.fixture
async def temporal(local_stack: Mapping[str, str]) -> Client:
    return await temporal_client.connect(local_stack["TEMPORAL_ADDRESS"], local_stack["TEMPORAL_NAMESPACE"], {})


@pytest.fixture
def audit_log() -> Iterator[list[dict[str, Any]]]:
    """What the audit log says during the test."""
    lines: list[dict[str, Any]] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append({"event": record.getMessage(), **record.__dict__})

    handler = Collecting()
    logger = logging.getLogger("FunctionsAudit")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)
