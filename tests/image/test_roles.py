"""The image's three roles on the local stack: started, asked how they are, stopped under load, started again."""

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from stack.sample_data import sample_payload
from tests.contract.functions.unfinished_call import begin_call
from tests.e2e import rows
from tests.e2e.logs import events
from tests.e2e.system import SHORT_TIMES, System, eventually
from tests.image.conftest import Built
from tests.image.container import Container

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

KILLED_AFTER_SECONDS = 10.0
"""By Cloud Run, counted from SIGTERM."""

SLOWEST_DRAIN_SECONDS = 9.5
"""When everything that a drain waits for is given up; what remains is for a machine that is slower than this one."""

ROWS = 1000
LOAD_SECONDS = 8.0
BUILD = f"sha256:{'0123456789ab' * 5}0123"
KEY = "image-tests-key"
CALLER = {"X-Api-Key": KEY}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(built: Built, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The stack, seeded, with no process of ours."""
    directory = tmp_path_factory.mktemp("roles")
    settings = {**SHORT_TIMES, "NOTIFICATION_CLAIM_LEASE_SECONDS": "3", "XNOVU_BUILD": BUILD}
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, settings)
        try:
            await system.seed()
            yield system
        finally:
            await system.stop()


class Role:
    """A listener's or a worker's container, and where it answers probes."""

    def __init__(self, name: str, built: Built, system: System, directory: Path, **environment: str) -> None:
        port = free_port()
        self.probe_url = f"http://127.0.0.1:{port}"
        settings = {**system.environment, "PROBE_HOST": "127.0.0.1", "PROBE_PORT": str(port), **environment}
        self.container = Container(built.image, built.root, directory / name, (name,), settings)

    async def probe(self, path: str) -> int:
        """The code it answers with; 0 while nobody does."""
        self.container.require_running()
        async with httpx.AsyncClient(base_url=self.probe_url, timeout=5) as client:
            try:
                return (await client.get(path)).status_code
            except httpx.TransportError:
                return 0

    async def is_ready(self) -> bool:
        return await self.probe("/readyz") == 200

    async def drain(self) -> float:
        """Stop it as Cloud Run does; returns the seconds it took, fails where Cloud Run would have killed."""
        began = time.monotonic()
        self.container.terminate()
        code = await self.container.exit_code(within=KILLED_AFTER_SECONDS)
        assert code == 0, self.container.errors()
        return time.monotonic() - began


@asynccontextmanager
async def running(
    built: Built, system: System, directory: Path, **environment: str
) -> AsyncIterator[tuple[Role, Role]]:
    """A listener and a worker, ready."""
    listener = Role("listener", built, system, directory, **environment)
    worker = Role("worker", built, system, directory, **environment)
    with ExitStack() as started:
        for role in (listener, worker):
            started.enter_context(role.container)
        await _are_ready(listener, worker)
        yield listener, worker


async def test_process_one_is_python_and_may_do_nothing_but_its_work(
    built: Built, system: System, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    async with running(built, system, tmp_path) as roles:
        record_property("seconds until listener and worker are ready, side by side", f"{time.monotonic() - began:.1f}")
        for role in roles:
            process = Path("/proc") / str(role.container.pid)
            lines = (process / "status").read_text().splitlines()
            status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
            mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
            [root_options] = [mount[5].split(",") for mount in mounts if mount[4] == "/"]

            assert status["NSpid"][-1] == "1"
            assert role.container.executable.name.startswith("python3")
            assert {*status["Uid"], *status["Gid"]} == {"65532"}
            assert [int(status[name][0], 16) for name in ("CapBnd", "CapEff", "CapPrm")] == [0, 0, 0]
            assert status["NoNewPrivs"] == ["1"]
            assert "ro" in root_options
            assert [await role.probe(path) for path in ("/startup", "/livez", "/readyz")] == [200, 200, 200]
            assert await role.probe("/status") == 404


@pytest.mark.whole
async def test_stopped_under_load_nothing_is_lost_and_nothing_is_sent_twice(
    built: Built, system: System, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    before = await system.deliveries()
    async with running(built, system, tmp_path) as (listener, worker):
        loading = asyncio.create_task(system.load(ROWS, seconds=LOAD_SECONDS))
        for role, name in ((worker, "worker"), (listener, "listener"), (worker, "worker again")):
            await _more_is_sent(system)
            record_property(f"seconds to drain, {name}", f"{await role.drain():.1f}")
            role.container.start()
        assert not loading.done(), "every stop fell into the load"
        await loading
        await _are_ready(listener, worker)
        memory = {role: psutil.Process(role.container.pid).memory_info().rss >> 20 for role in (listener, worker)}

        await eventually(system.is_settled, within=240, what="every row has a final status")
        await listener.drain()
        await worker.drain()

    record_property("MiB resident, listener and worker in containers of 512", list(memory.values()))
    after = await system.deliveries()
    assert (await system.statuses()).keys() <= {"SENT", "RETRACTED"}
    assert len(after) - len(before) == ROWS
    assert set(after) == await system.transaction_ids()
    assert set(after.values()) == {1}
    assert events(worker.container.log_file, "worker_shutdown_incomplete") == []
    assert len(events(worker.container.log_file, "process_stopped")) == 3


@pytest.mark.whole
async def test_at_their_slowest_they_leave_before_they_are_killed(
    built: Built, system: System, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Novu hangs, so that activities use up their grace; Temporal is gone, so that nobody takes their results nor what
    the listener holds; what receives telemetry hangs until it is given up.
    """
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        async with running(built, system, tmp_path, **telemetry) as (listener, worker):
            await system.sink_faults({"kind": "accept_then_hang", "requests": None})
            acme = system.enterprises[0]
            row = {"notification_workflow_id": acme.static, "payload": sample_payload(1), "channels": ["EMAIL"]}
            ids = await rows.insert(system, "acme", row)

            async def novu_has_it() -> bool:
                return bool(await rows.calls_for(system, ids[0]))

            await eventually(novu_has_it, what="the worker waits for Novu")
            await system.stack.temporal.kill()
            try:
                ids += await rows.insert(system, "acme", row)
                seconds, listener_seconds = await asyncio.gather(worker.drain(), listener.drain())
            finally:
                await system.stack.temporal.start()
            record_property("seconds to drain, worker at its slowest", f"{seconds:.1f}")
            record_property("seconds to drain, listener at its slowest", f"{listener_seconds:.1f}")
            await system.sink.delete("/_sink/faults")

            worker.container.start()
            listener.container.start()
            found = await rows.settled(system, ids, within=180)

    assert 6 < seconds < SLOWEST_DRAIN_SECONDS, "the activity has used its grace, and time remains"
    assert listener_seconds < SLOWEST_DRAIN_SECONDS
    assert {row.status for row in found.values()} == {"SENT"}
    calls = [await rows.calls_for(system, notification_id) for notification_id in ids]
    # The call that was not answered was taken: Novu's activity says so, and nothing is sent again.
    assert [[call["duplicate"] for call in made] for made in calls] == [[False], [False]]


async def test_what_operators_use_works_from_the_image_too(built: Built, system: System, tmp_path: Path) -> None:
    async with running(built, system, tmp_path):
        for name, command in (
            ("apply", ("novu", "apply", "--yes", "--adopt", "all")),
            ("doctor", ("doctor", "--json")),
        ):
            with Container(built.image, built.root, tmp_path / name, command, system.environment) as container:
                code = await container.exit_code()

            assert code == 0, container.log_file.read_text() + container.errors()


async def test_a_function_tells_how_the_containers_are(built: Built, system: System, tmp_path: Path) -> None:
    async with running(built, system, tmp_path), function("status", built, system, tmp_path) as (_, client):
        answer: dict[str, Any] = {}

        async def is_healthy() -> bool:
            answer.update((await client.get("/")).json())
            return bool(answer["status"] == "healthy")

        await eventually(is_healthy, what="listener and worker are healthy")

    assert answer["components"]["subscriptions"]["active"] == len(system.enterprises)
    assert answer["build"] == BUILD
    assert {process["pid"] for process in answer["processes"]} == {1}


async def test_a_function_finishes_the_call_that_is_under_way_and_takes_no_other(
    built: Built, system: System, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    static = system.enterprises[0].static
    key = await rows.execute(system, "select workflow_key from notify.ent_notification_workflow where id = $1", static)
    call = {"enterpriseId": "acme", "workflowKey": key, "recipients": ["someone"], "payload": {}}
    async with function("trigger", built, system, tmp_path) as (container, client):
        assert container.executable.name.startswith("python3")

        async def takes_no_more() -> bool:
            try:
                await client.get("/openapi.json", headers={"Connection": "close"})
            except httpx.TransportError:
                return True
            return False

        async with begin_call(client.base_url.port or 0, CALLER, call) as unfinished:
            began = time.monotonic()
            container.terminate()
            await eventually(takes_no_more, what="no further call is taken")
            status, answer = await unfinished.finish()
        code = await container.exit_code(within=KILLED_AFTER_SECONDS)
        record_property("seconds to drain, function with a call", f"{time.monotonic() - began:.1f}")

    assert (status, answer["success"]) == (200, True)
    assert code == 0, container.errors()
    await rows.execute(system, "select notify.retract_notifications('acme', $1, 'tested')", answer["notificationIds"])


@asynccontextmanager
async def function(
    target: str, built: Built, system: System, directory: Path
) -> AsyncIterator[tuple[Container, httpx.AsyncClient]]:
    """A function's container that answers, and a client of it."""
    port = free_port()
    settings = {
        **system.environment,
        "FUNCTION_TARGET": target,
        "FUNCTIONS_API_KEYS": f"tests:{hashlib.sha256(KEY.encode()).hexdigest()}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    container = Container(built.image, built.root, directory / "function", ("function",), settings)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=CALLER, timeout=10) as client:

        async def answers() -> bool:
            container.require_running()
            try:
                return (await client.get("/openapi.json")).status_code == 200
            except httpx.TransportError:
                return False

        with container:
            await eventually(answers, what=f"the function {target} answers")
            yield container, client


async def _are_ready(*roles: Role) -> None:
    async def are_ready() -> bool:
        return all([await role.is_ready() for role in roles])

    await eventually(are_ready, what="listener and worker are ready")


async def _more_is_sent(system: System) -> None:
    sent = (await system.statuses())["SENT"]

    async def is_more() -> bool:
        return (await system.statuses())["SENT"] > sent

    await eventually(is_more, what="more rows of the load are sent")
