"""A listener's and a worker's process meet a foreign exception at every await of their start, their end and what runs
beside them: each is run again, and each time comes one await further, until it is ready.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from listener import bootstrap as listener
from shared import json_logs
from shared.settings import ListenerSettings, WorkerSettings
from stack.processes import free_port
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.counted import Counted
from tests.faults.injector import CANARY, points_of, raising_once_at_each
from worker import bootstrap as worker

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHARED = ("shared.heartbeat", "shared.http_server", "shared.probes", "shared.supabase.heartbeat_store")
PROCESSES: Mapping[str, tuple[Any, Callable[[Any, asyncio.Event], Coroutine[Any, Any, None]], tuple[str, ...]]] = {
    "listener": (
        ListenerSettings,
        listener.run_alone,
        ("listener.bootstrap", "listener.hearing", "shared.supabase.share_store", *SHARED),
    ),
    "worker": (WorkerSettings, worker.run_alone, ("worker.bootstrap", *SHARED)),
}
OUTERMOST = {"run_alone", "serving_probes", "serving"}
"""They hold the supervisor, and wait for what it keeps: nothing is left to run these again but the platform."""


def points_within(*modules: str) -> list[AwaitPoint]:
    """Those that the supervisor stands around."""
    return [point for point in await_points(*modules) if point.function not in OUTERMOST]


POINTS = [point for _, _, modules in PROCESSES.values() for point in points_within(*modules)]

TWO_AT_ONCE = {"shared/http_server.py", "shared/supabase/heartbeat_store.py"}
"""Where a task may meet its fault in the same life as what waits for it: of the two one is told of."""


@pytest.mark.parametrize("component", PROCESSES)
async def test_a_process_that_meets_faults_from_its_start_to_its_end_becomes_ready_and_leaves(
    component: str,
    local_stack: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    load, run_alone, modules = PROCESSES[component]
    port, counted = free_port(), Counted.instead(monkeypatch)
    ours = {"DAEMON_ENTERPRISE_IDS": "ent1", "TEMPORAL_TASK_QUEUE": f"test-{uuid4()}", "PROBE_PORT": str(port)}
    ours["NOVU_DELIVERY"] = "activity"
    for name, value in {**local_stack, **ours}.items():
        monkeypatch.setenv(name, value)
    caplog.handler.setFormatter(json_logs.Formatter())
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    points = points_within(*modules)

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(run_alone(load.load(), stop))
        await _is_ready(port, running)
        stop.set()
        await asyncio.wait_for(running, 60)

    with raising_once_at_each(points) as fired:
        for _ in points:
            before = len(fired)
            await live()
            if len(fired) == before:
                break

    assert not [str(point) for point in points if point not in fired], "no life comes here"
    told = points_of([record.exc_info[1] for record in caplog.records if record.exc_info])
    untold = [str(point) for point in fired - told if point.file not in TWO_AT_ONCE]
    assert not untold, "nobody was told"
    assert {error for _, error in counted.faults} == {"Foreign"}
    assert CANARY not in caplog.text
    await _nothing_goes_on()
    caplog.clear()
    gc.collect()  # sockets whose closing met its fault


async def _nothing_goes_on() -> None:
    """What met a fault comes to its end, and does not go on beside what followed it."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, left = await asyncio.wait(others, timeout=60)
        assert not left


async def _is_ready(port: int, running: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            assert not running.done(), running.result()
            try:
                if (await client.get("/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
