"""One sink process for each test process; every test finds it as new."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from shared.novu import NovuTrigger
from shared.novu.idempotency import IdempotencyKeys
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess

_AUTHORIZATION = {"Authorization": f"ApiKey {SECRET_KEY}"}


@pytest.fixture(scope="session")
def sink_process() -> Iterator[SinkProcess]:
    with SinkProcess.started() as process:
        yield process


@pytest.fixture
def sink(sink_process: SinkProcess) -> SinkProcess:
    sink_process.reset()
    sink_process.make_workflows("welcome", "bye", "second", "poison")
    return sink_process


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """What every client loads anew unless it is given one: a tenth of a second, for servers without TLS."""
    return ssl.create_default_context()


@pytest.fixture
async def novu(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """A bare client of Novu's interface, with the right key."""
    async with httpx.AsyncClient(base_url=f"{sink.url}/v1/events", headers=_AUTHORIZATION, verify=tls) as client:
        yield client


@pytest.fixture
async def api(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """The same, for all of Novu's paths."""
    async with httpx.AsyncClient(base_url=sink.url, headers=_AUTHORIZATION, verify=tls) as client:
        yield client


@pytest.fixture
async def trigger(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[NovuTrigger]:
    """The adapter."""
    async with httpx.AsyncClient(base_url=sink.url, headers=_AUTHORIZATION, timeout=15, verify=tls) as client:
        yield NovuTrigger(client, IdempotencyKeys(SECRET_KEY))


@pytest.fixture
async def impatient_trigger(sink: SinkProcess, tls: ssl.SSLContext) -> AsyncIterator[NovuTrigger]:
    """The adapter, for answers that never come."""
    async with httpx.AsyncClient(base_url=sink.url, headers=_AUTHORIZATION, timeout=0.5, verify=tls) as client:
        yield NovuTrigger(client, IdempotencyKeys(SECRET_KEY))
