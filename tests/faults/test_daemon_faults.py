"""What a daemon tells of itself meets a foreign exception at every await: it answers again, and its parts go on."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from cli import daemon_process
from cli.daemon_record import DaemonBook, StartOptions
from shared.health.observations import WorkerObservation
from shared.heartbeat import Reporter, Reporting
from shared.process_usage import ProcessUsage
from shared.settings import DaemonSettings
from shared.temporal.joint_client import Connect
from stack.processes import free_port
from tests.faults.await_points import await_points
from tests.faults.counted import Counted
from tests.faults.injector import raising_once_at_each

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MODULES = (
    "cli.daemon_process",
    "cli.health_server.serving",
    "cli.health_server.hosts",
    "cli.health_server.trace_page",
    "shared.health_monitor",
    "shared.temporal.client",
)
NOT_HERE = {"_run", "connect", "connect_anew", "connect_once", "connect_unless_stopped"}
"""The first holds the supervisor, and waits for what that keeps; the others are those of its parts, and of commands."""

POINTS = [point for point in await_points(*MODULES) if point.function not in NOT_HERE]


async def test_a_daemon_whose_health_meets_faults_answers_again_and_its_parts_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, counted, runs = free_port(), Counted.instead(monkeypatch), 0
    nobody = f"127.0.0.1:{free_port()}"
    for name, value in {
        "SUPABASE_URL": f"http://{nobody}",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "TEMPORAL_ADDRESS": nobody,
        "NOVU_SECRET_KEY": "key",
        "DAEMON_ENTERPRISE_IDS": "ent1",
        "DAEMON_HEALTH_PORT": str(port),
        "XDG_STATE_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff

    async def component(
        settings: DaemonSettings, stop: asyncio.Event, reporting: Reporting, *, connect: Connect
    ) -> None:
        nonlocal runs
        runs += 1
        async with reporting(Reporter(ProcessUsage("test"), lambda: WorkerObservation(polling=True))):
            await stop.wait()

    monkeypatch.setattr("listener.bootstrap.run", component)
    monkeypatch.setattr("worker.bootstrap.run", component)
    monkeypatch.setattr("cli.daemon_process.banner", lambda *_: "all is there")

    async def live() -> None:
        stop = asyncio.Event()
        book, options = DaemonBook(tmp_path / "xnovu"), StartOptions(dev=True)
        with ExitStack() as held:
            held.enter_context(book.held())
            running = asyncio.create_task(
                daemon_process._run(
                    DaemonSettings.load(), stop, book=book, options=options, until_the_end=held.pop_all()
                )
            )
        await _answers(port, running)
        stop.set()
        await asyncio.wait_for(running, 60)

    lives = 0
    with raising_once_at_each(POINTS) as fired:
        before = -1
        while len(fired) > before:
            before, lives = len(fired), lives + 1
            await live()

    assert not [str(point) for point in POINTS if point not in fired], "no life comes here"
    assert runs == 2 * lives, "listener and worker were not run again"
    assert {error for _, error in counted.faults} == {"Foreign"}
    assert {part for part, _ in counted.faults} >= {"health", "health monitor", "banner"}


async def _answers(port: int, running: "asyncio.Task[None]") -> None:
    """Twice, and a look later."""
    answers = 0
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while answers < 2:
            assert not running.done(), running.result()
            try:
                answers += (await client.get("/status")).is_success
                # Nobody can be asked here.
                assert (await client.get("/trace", params={"id": "1"})).status_code in (500, 503)
                assert (await client.get("/status", headers={"Host": "elsewhere"})).status_code in (421, 500)
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
