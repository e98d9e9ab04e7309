"""One sink process for each test process; every test finds it as new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from shared.novu import NovuTrigger, open_trigger
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess


@pytest.fixture(scope="session")
def sink_process() -> Iterator[SinkProcess]:
    with SinkProcess.started() as process:
        yield process


@pytest.fixture
def sink(sink_process: SinkProcess) -> SinkProcess:
    sink_process.reset()
    return sink_process


@pytest.fixture
async def novu(sink: SinkProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A bare client of Novu's interface, with the right key."""
    headers = {"Authorization": f"ApiKey {SECRET_KEY}"}
    async with httpx.AsyncClient(base_url=f"{sink.url}/v1/events", headers=headers) as client:
        yield client


@pytest.fixture
async def trigger(sink: SinkProcess) -> AsyncIterator[NovuTrigger]:
    """The adapter, impatient enough for tests."""
    timeout = httpx.Timeout(0.5, connect=5.0)
    async with open_trigger(sink.url, SECRET_KEY, request_timeout=timeout) as opened:
        yield opened
