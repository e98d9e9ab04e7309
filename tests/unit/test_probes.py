"""The probes of a listener and of a worker: what each says, from before the start to the drain."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from shared.health.observations import (
    EnterpriseObservation,
    ListenerObservation,
    SubscriptionState,
    WorkerObservation,
)
from shared.heartbeat import HEARTBEAT_COUNTS_SECONDS, Reporter
from shared.probes import Probes, serving_probes
from shared.process_usage import ProcessUsage
from shared.settings import SettingsError
from shared.supervision import Supervisor
from stack.processes import free_port

PATHS = ("/startup", "/livez", "/readyz")


class Component:
    """Says of itself what it is told to."""

    def __init__(self, seen: ListenerObservation | WorkerObservation) -> None:
        self.seen = seen
        self.reporter = Reporter(ProcessUsage("tested"), lambda: self.seen)


def listener(*states: SubscriptionState, swept: bool = False) -> ListenerObservation:
    last_sweep_at = datetime.now(UTC) if swept else None
    return ListenerObservation(
        enterprises={
            f"ent{number}": EnterpriseObservation(state=state, last_sweep_at=last_sweep_at)
            for number, state in enumerate(states)
        }
    )


@asynccontextmanager
async def probed() -> AsyncIterator[tuple[Probes, httpx.AsyncClient]]:
    port = free_port()
    async with (
        serving_probes("127.0.0.1", port) as probes,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client,
    ):
        yield probes, client


async def answers(client: httpx.AsyncClient) -> tuple[int, ...]:
    """The codes of /startup, /livez and /readyz."""
    return tuple([(await client.get(path)).status_code for path in PATHS])


async def test_before_the_component_is_up_it_is_alive_and_nothing_more() -> None:
    async with probed() as (_, client):
        assert await answers(client) == (503, 200, 503)


async def test_a_worker_is_ready_while_it_polls_and_has_started_for_ever_after() -> None:
    worker = Component(WorkerObservation(polling=False))
    async with probed() as (probes, client):
        with probes.watching(worker.reporter):
            before = await answers(client)
            worker.seen = WorkerObservation(polling=True)
            polling = await answers(client)
            worker.seen = WorkerObservation(polling=False)
            draining = await answers(client)
        after = await answers(client)

    assert before == (503, 200, 503)
    assert polling == (200, 200, 200)
    assert draining == after == (200, 200, 503)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (listener(SubscriptionState.SUBSCRIBED, SubscriptionState.CATCHING_UP), (200, 200, 200)),
        (listener(SubscriptionState.SUBSCRIBED, SubscriptionState.RECONNECTING), (503, 200, 503)),
        (listener(SubscriptionState.FAILED, SubscriptionState.FAILED), (503, 200, 503)),
        (listener(SubscriptionState.FAILED, SubscriptionState.RECONNECTING, swept=True), (200, 200, 503)),
    ],
    ids=["every seat", "one seat missing", "no seat", "no seat but sweeps"],
)
async def test_a_listener_is_ready_with_every_seat_and_has_started_once_it_delivers(
    seen: ListenerObservation, expected: tuple[int, ...]
) -> None:
    component = Component(seen)

    async with probed() as (probes, client):
        with probes.watching(component.reporter):
            assert await answers(client) == expected


async def test_a_worker_whose_heartbeat_has_stopped_is_not_ready_and_says_why() -> None:
    worker = Component(WorkerObservation(polling=True))
    async with probed() as (probes, client):
        with probes.watching(worker.reporter):
            worker.reporter.published_at = time.monotonic()
            beating = await client.get("/readyz")
            worker.reporter.published_at = time.monotonic() - HEARTBEAT_COUNTS_SECONDS - 1
            silent = await client.get("/readyz")
            started = await client.get("/startup")

    assert beating.status_code == 200
    assert (silent.status_code, silent.text) == (503, "not ready\nheartbeat: not published\n")
    assert started.status_code == 200, "a restart would not mend it"


async def test_a_part_that_has_stopped_is_not_ready_until_it_runs_again() -> None:
    worker = Component(WorkerObservation(polling=True))
    faulted, again = asyncio.Event(), asyncio.Event()
    faults = [KeyError("defect")]

    async def run() -> None:
        if faults:
            raise faults.pop()
        again.set()
        await asyncio.Event().wait()

    async with probed() as (probes, client):
        with probes.watching(worker.reporter):
            keeping = asyncio.create_task(worker.reporter.parts.keep("sweeper", run, on_fault=faulted.set))
            await faulted.wait()
            stopped = probes.is_ready(), probes.troubles()
            await again.wait()
            running = await client.get("/readyz")
            keeping.cancel()

    assert stopped == (False, ["sweeper: KeyError"])
    assert running.status_code == 200


async def test_a_server_that_breaks_serves_again_on_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [KeyError("defect")]
    tick = uvicorn.Server.on_tick

    async def breaking(self: uvicorn.Server, counter: int) -> bool:
        if faults:
            raise faults.pop()
        return await tick(self, counter)

    monkeypatch.setattr(uvicorn.Server, "on_tick", breaking)
    port, parts = free_port(), Supervisor(first_backoff_seconds=0.001)
    async with serving_probes("127.0.0.1", port, parts), httpx.AsyncClient() as client:
        async with asyncio.timeout(5):
            while not (failing := parts.failing()) or not failing[0].running:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.001)
        answer = await client.get(f"http://127.0.0.1:{port}/livez")

    assert answer.status_code == 200
    assert [(part.part, part.last_fault) for part in failing] == [("probes", "KeyError")]


@pytest.mark.real_time
async def test_a_loop_that_is_stuck_is_not_alive() -> None:
    async with probed() as (_, client):
        url = client.base_url.join("/livez")
        with ThreadPoolExecutor(max_workers=1) as pool:
            asking = pool.submit(httpx.get, url, timeout=httpx.Timeout(60, read=0.3))
            fault = asking.exception()  # the loop is stuck until then: this is what the test is about

        assert isinstance(fault, httpx.ReadTimeout)
        assert (await client.get("/livez")).status_code == 200


async def test_the_port_is_free_again_after_the_block() -> None:
    port = free_port()

    for _ in range(2):
        async with serving_probes("127.0.0.1", port):
            pass


async def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    async with probed() as (_, client):
        port = client.base_url.port

        with pytest.raises(SettingsError, match=f"PROBE_PORT: nothing can listen on 127.0.0.1:{port}"):
            async with serving_probes("127.0.0.1", port):
                pass


async def test_without_a_port_nobody_is_asked_to_listen() -> None:
    async with serving_probes("no such host", None) as probes:
        assert not probes.is_ready()
