"""How our processes begin and end: wrong settings are named at once, a signal drains, and nothing is left behind."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from tests.e2e import rows
from tests.e2e.logs import events, read_log
from tests.e2e.program import ARGUMENTS, Program, assert_gone
from tests.e2e.system import ENTERPRISES, SHORT_TIMES, System, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

EXIT_WITHIN_SECONDS = 10.0
ROWS = 300
LOAD_SECONDS = 2.0
SHORTER_TIMES = {
    **SHORT_TIMES,
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "1000",
    "NOTIFICATION_CLAIM_LEASE_SECONDS": "3",
}
"""What a killed worker held is soon taken up by the next."""

COMPANIONS = {"listener": ("listener", "worker"), "worker": ("listener", "worker"), "daemon": ("daemon",)}
"""Which programs it takes for rows to be delivered."""

WRONG = {
    "TEMPORAL_ADDRESS": "nowhere",
    "SUPABASE_SERVICE_ROLE_KEY": "two words of a secret",
    "DAEMON_LOG_LEVEL": "loud",
    "SUBSCRIPTION_RECONNECT_DELAY": "soon",
    "SUBSCRIPTION_MAX_RETRIES": "0",
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "1.5",
    "NOVU_API_URL": "ftp://novu",
    "TEMPORAL_MAX_CONCURRENT_ACTIVITIES": "0",
    "TEMPORAL_MAX_CONCURRENT_WORKFLOWS": "1",
    "NOTIFICATION_CLAIM_LEASE_SECONDS": "-1",
    "WORKER_SHUTDOWN_GRACE_SECONDS": "long",
    "PROBE_PORT": "99999",
    "DAEMON_HEALTH_PORT": "99999",
    "TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/certificate.pem",
    "TEMPORAL_TLS_CLIENT_KEY_PATH": "/nowhere/key.pem",
}
EVERYBODYS = {
    "TEMPORAL_ADDRESS",
    "TEMPORAL_*",
    "NEXT_PUBLIC_SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY",
    "DAEMON_LOG_LEVEL",
}
LISTENERS = {
    "DAEMON_ENTERPRISE_IDS",
    "SUBSCRIPTION_RECONNECT_DELAY",
    "SUBSCRIPTION_MAX_RETRIES",
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL",
    "PROBE_PORT",
}
WORKERS = {
    "NOVU_SECRET_KEY",
    "NOVU_API_URL",
    "TEMPORAL_MAX_CONCURRENT_ACTIVITIES",
    "TEMPORAL_MAX_CONCURRENT_WORKFLOWS",
    "NOTIFICATION_CLAIM_LEASE_SECONDS",
    "WORKER_SHUTDOWN_GRACE_SECONDS",
    "PROBE_PORT",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The stack, seeded, with no process of ours."""
    directory = tmp_path_factory.mktemp("processes")
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORTER_TIMES)
        try:
            await system.seed()
            yield system
        finally:
            await system.stop()


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("listener", EVERYBODYS | LISTENERS),
        ("worker", EVERYBODYS | WORKERS),
        ("daemon", EVERYBODYS | LISTENERS | WORKERS | {"DAEMON_HEALTH_PORT", "Hint"}),
    ],
)
async def test_every_wrong_or_missing_setting_is_named_in_one_message(
    tmp_path: Path, name: str, named: set[str]
) -> None:
    with Program(name, tmp_path, WRONG) as program:
        code = await program.exit_code(within=30)

    first, *lines = program.errors().splitlines()
    assert code == 2
    assert first == f"{name}: settings are wrong:"
    assert sorted(line.split(":")[0].strip() for line in lines) == sorted(named)
    assert "secret" not in program.errors()
    assert program.log_file.read_text() == ""


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_signal_under_load_drains_and_leaves_nothing_behind(system: System, tmp_path: Path, name: str) -> None:
    async with _running(name, system, tmp_path) as target:
        loading = await _load(system)
        descendants = target.descendants()

        target.signal(signal.SIGTERM)
        code = await target.exit_code(within=EXIT_WITHIN_SECONDS)

        assert code == 0, target.errors()
        await assert_gone(descendants, within=5)
        assert len(events(target.log_file, "process_stopped")) == 1
        assert events(target.log_file, "drain_incomplete") == []
        if name != "listener":
            assert (await system.statuses())["PROCESSING"] == 0, "what was claimed is finished"

        target.start()
        await loading
        await _everything_sent_once(system, target)


async def test_a_worker_that_is_killed_leaves_no_renderer_behind(system: System, tmp_path: Path) -> None:
    async with _running("worker", system, tmp_path) as worker:
        loading = await _load(system)
        descendants = worker.descendants()

        worker.signal(signal.SIGKILL)

        assert descendants != []
        assert await worker.exit_code(within=5) == -signal.SIGKILL
        await assert_gone(descendants, within=10)

        worker.start()
        await loading
        await _everything_sent_once(system, worker)


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_signal_is_obeyed_while_temporal_has_never_been_there(
    system: System, tmp_path: Path, name: str
) -> None:
    environment = {**system.environment, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    with Program(name, tmp_path, environment) as program:

        async def is_connecting() -> bool:
            return events(program.log_file, "temporal_connecting") != []

        await eventually(is_connecting, what=f"{name} is connecting")
        descendants = program.descendants()
        program.signal(signal.SIGTERM)

        assert await program.exit_code(within=EXIT_WITHIN_SECONDS) == 0, program.errors()
        await assert_gone(descendants, within=5)


@pytest.mark.parametrize("name", ["worker", pytest.param("daemon", marks=pytest.mark.whole)])
async def test_a_signal_is_obeyed_while_temporal_is_gone(system: System, tmp_path: Path, name: str) -> None:
    async with _running(name, system, tmp_path) as target:
        loading = await _load(system)
        descendants = target.descendants()
        await system.stack.temporal.kill()
        try:
            target.signal(signal.SIGTERM)
            code = await target.exit_code(within=EXIT_WITHIN_SECONDS)
        finally:
            await system.stack.temporal.start()

        assert code == 0, target.errors()
        await assert_gone(descendants, within=5)
        assert len(events(target.log_file, "process_stopped")) == 1

        target.start()
        await loading
        await _everything_sent_once(system, target)


async def test_the_daemon_serves_the_enterprises_it_is_told_to(system: System, tmp_path: Path) -> None:
    acme, globex, _ = system.enterprises
    [ours] = await rows.insert(system, "acme", {"notification_workflow_id": acme.static})
    [theirs] = await rows.insert(system, "globex", {"notification_workflow_id": globex.static})

    with Program("daemon", tmp_path, system.environment, "--enterprises", "acme", "--log-level", "warn") as daemon:
        await rows.settled(system, [ours])
        daemon.signal(signal.SIGTERM)
        code = await daemon.exit_code(within=EXIT_WITHIN_SECONDS)
    found = await rows.read(system, [ours, theirs])
    await rows.execute(system, "select notify.retract_notifications('globex', $1, 'tested')", [theirs])

    assert code == 0
    assert found[ours].status == "SENT"
    assert found[theirs].is_untouched
    assert {entry["level"] for entry in read_log(daemon.log_file)} <= {"warn", "error"}


@asynccontextmanager
async def _running(name: str, system: System, directory: Path) -> AsyncIterator[Program]:
    """The program, with those it takes for rows to be delivered, once all of it is ready."""
    with ExitStack() as started:
        programs = {
            companion: started.enter_context(Program(companion, directory, system.environment))
            for companion in COMPANIONS[name]
        }

        async def are_ready() -> bool:
            for program in programs.values():
                program.require_running()
            entries = [entry["event"] for program in programs.values() for entry in read_log(program.log_file)]
            return entries.count("subscription_subscribed") == len(ENTERPRISES) and "worker_started" in entries

        await eventually(are_ready, what="every enterprise is subscribed and the worker takes work")
        yield programs[name]


async def _load(system: System) -> "asyncio.Task[None]":
    """A load under way, of which something has been sent."""
    sent = (await system.statuses())["SENT"]
    loading = asyncio.create_task(system.load(ROWS, seconds=LOAD_SECONDS))

    async def more_is_sent() -> bool:
        return (await system.statuses())["SENT"] > sent

    await eventually(more_is_sent, what="the first rows of the load are sent")
    return loading


async def _everything_sent_once(system: System, program: Program) -> None:
    async def is_settled() -> bool:
        program.require_running()
        return await system.is_settled()

    await eventually(is_settled, what="every row has a final status")
    assert (await system.statuses()).keys() <= {"SENT", "RETRACTED"}
    deliveries = await system.deliveries()
    assert set(deliveries) == await system.transaction_ids()
    assert set(deliveries.values()) == {1}
