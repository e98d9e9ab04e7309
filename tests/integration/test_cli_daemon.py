"""`xnovu daemon`: what it answers at the edges. Its lives are in tests/e2e/test_daemon_lifecycle.py."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack.processes import free_port
from tests.workflows.conftest import eventually

HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "XNOVU_ENV_FILE") if name in os.environ}

UNREACHABLE = {
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1",
    "SUPABASE_SERVICE_ROLE_KEY": "planted-supabase-key",
    "NOVU_SECRET_KEY": "planted-novu-key",
    "DAEMON_ENTERPRISE_IDS": "acme",
}
"""Good settings, and nobody there."""


@dataclass(frozen=True)
class Machine:
    """One user's state directory, a port, and the commands."""

    directory: Path
    environment: Mapping[str, str]

    @property
    def record(self) -> Path:
        return self.directory / "xnovu" / "daemon.json"

    @property
    def port(self) -> int:
        return int(self.environment["DAEMON_HEALTH_PORT"])

    async def daemon(self, *arguments: str) -> tuple[int | None, str, str]:
        """Exit code, output and errors."""
        return await self.command("daemon", *arguments)

    async def command(self, *arguments: str) -> tuple[int | None, str, str]:
        """The same of any command."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()

    async def begin(self) -> dict[str, Any]:
        """Start a daemon that will not get ready here; its record."""
        await self.daemon("start", "--timeout", "2")

        async def is_recorded() -> bool:
            return self.record.exists()

        await eventually(is_recorded, within=60)
        record: dict[str, Any] = json.loads(self.record.read_text())
        return record

    async def answer(self, *arguments: str) -> tuple[int | None, dict[str, Any]]:
        """Exit code, and what --json prints."""
        code, output, errors = await self.daemon(*arguments, "--json")
        assert "Traceback" not in errors
        return code, json.loads(output)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """Whatever a test starts here is stopped."""
    own = {"XDG_STATE_HOME": str(tmp_path), "DAEMON_HEALTH_PORT": str(free_port())}
    machine = Machine(tmp_path, {**HARMLESS, **UNREACHABLE, **own})
    try:
        yield machine
    finally:
        await machine.daemon("stop")
        for process in psutil.process_iter():
            if _is_of(process, tmp_path):
                process.kill()


def _is_of(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get("XDG_STATE_HOME") == str(directory)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


async def test_where_nothing_runs_stop_is_content_and_status_and_health_say_so(machine: Machine) -> None:
    assert await machine.answer("stop") == (0, {"result": "already_stopped", "pid": None})
    code, answer = await machine.answer("status")
    assert (code, answer["daemon"]) == (3, None)
    code, _, errors = await machine.daemon("health")
    assert code == 3
    assert "No daemon of this user is running" in errors


async def test_wrong_settings_are_named_by_the_command_itself(machine: Machine) -> None:
    wrong = Machine(machine.directory, {**machine.environment, "TEMPORAL_ADDRESS": "nowhere", "NOVU_SECRET_KEY": ""})

    code, output, errors = await wrong.daemon("start", "--log-level", "debug")

    assert (code, output) == (2, "")
    assert "TEMPORAL_ADDRESS" in errors
    assert "NOVU_SECRET_KEY: is missing" in errors
    assert "Hint: set them in the environment or in .env" in errors
    assert not machine.record.exists()


async def test_a_stack_of_its_own_is_refused_beside_servers_that_would_be_used_instead(machine: Machine) -> None:
    code, output, errors = await machine.daemon("start", "--dev", "--json")

    assert code == 2
    assert "others are set: TEMPORAL_ADDRESS, NEXT_PUBLIC_SUPABASE_URL" in json.loads(output)["error"]["message"]
    assert "Hint: unset TEMPORAL_ADDRESS NEXT_PUBLIC_SUPABASE_URL" in errors
    assert not machine.record.exists()


async def test_what_is_wrong_is_said_before_a_stack_of_its_own_is_brought_up(machine: Machine) -> None:
    own = {name: value for name, value in machine.environment.items() if name not in UNREACHABLE}
    dev = Machine(machine.directory, own)

    with socket.create_server(("127.0.0.1", dev.port)):
        taken = [await dev.daemon("start", "--dev", mode) for mode in ("--detach", "--foreground")]
    wrong = await dev.daemon("start", "--dev", "--enterprises", "ent 1")
    no_dev = await machine.daemon("start", "--fresh")

    assert [code for code, _, _ in taken] == [1, 1]
    assert all(f"port {dev.port} is taken" in errors for _, _, errors in taken)
    assert wrong[0] == no_dev[0] == 2
    assert "DAEMON_ENTERPRISE_IDS" in wrong[2]
    assert "--fresh is about the local stack of --dev" in no_dev[2]
    assert not (dev.directory / "xnovu" / "dev").exists()


async def test_a_reset_asks_and_takes_nothing_from_a_daemon_that_runs(machine: Machine) -> None:
    data = machine.directory / "xnovu" / "dev"
    data.mkdir(mode=0o700, parents=True)
    data.parent.chmod(0o700)

    unasked = await machine.command("dev", "reset")
    await machine.begin()
    running = await machine.command("dev", "reset", "--yes")
    kept = data.exists()
    await machine.daemon("stop")
    done = [await machine.command("dev", "reset", "--yes") for _ in range(2)]

    assert (unasked[0], running[0]) == (2, 1)
    assert "--yes" in unasked[2]
    assert "xnovu daemon stop" in running[2]
    assert kept
    assert [code for code, _, _ in done] == [0, 0]
    assert not data.exists()


async def test_a_restart_with_wrong_settings_leaves_the_daemon_as_it_is(machine: Machine) -> None:
    record = await machine.begin()

    wrong = Machine(machine.directory, {**machine.environment, "DAEMON_LOG_LEVEL": "loud"})
    code, _, errors = await wrong.daemon("restart")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        elsewhere, _, taken_errors = await machine.daemon("restart", "--health-port", str(taken.getsockname()[1]))

    assert code == 2
    assert "DAEMON_LOG_LEVEL" in errors
    assert elsewhere == 1
    assert "is taken" in taken_errors
    assert json.loads(machine.record.read_text()) == record
    assert psutil.pid_exists(record["pid"])


async def test_the_daemon_in_the_background_has_the_settings_of_the_file(machine: Machine) -> None:
    file = machine.directory / "settings"
    file.write_text("".join(f"{name}={value}\n" for name, value in UNREACHABLE.items()))
    bare = {name: value for name, value in machine.environment.items() if name not in UNREACHABLE}

    record = await Machine(machine.directory, {**bare, "XNOVU_ENV_FILE": str(file)}).begin()

    assert psutil.Process(record["pid"]).environ()["DAEMON_ENTERPRISE_IDS"] == "acme"


@pytest.mark.parametrize("mode", ["--detach", "--foreground"])
async def test_a_taken_port_is_named_with_the_way_out(machine: Machine, mode: str) -> None:
    with socket.create_server(("127.0.0.1", machine.port)):
        code, _, errors = await machine.daemon("start", mode)

    assert code == 1
    assert f"port {machine.port} is taken" in errors
    assert "--health-port" in errors
    assert not machine.record.exists()


async def test_a_daemon_that_does_not_get_ready_is_reported_with_its_last_words_and_can_be_stopped(
    machine: Machine,
) -> None:
    for seconds in (4, 16, 64):  # what runs beside it may keep it from its first word for so long
        code, output, errors = await machine.daemon("start", "--timeout", str(seconds))
        if '"event"' in errors:
            break
        await machine.daemon("stop", "--timeout", "60")

    assert (code, output) == (1, "")
    assert f"not ready within {seconds} s" in errors
    assert '"event": "temporal_connecting"' in errors
    assert "planted" not in errors
    assert "planted" not in (machine.directory / "xnovu" / "daemon.log").read_text()
    code, status = await machine.answer("status")
    assert (code, status["orchestration"]["state"]) == (0, "unreachable")
    assert (await machine.answer("stop"))[1] == {"result": "stopped", "pid": status["daemon"]["pid"]}
    assert not machine.record.exists()


async def test_a_second_daemon_of_the_same_user_is_not_started(machine: Machine) -> None:
    pid = (await machine.begin())["pid"]

    assert (await machine.answer("start"))[1]["pid"] == pid
    code, answer = await machine.answer("start", "--foreground")

    assert (code, answer["result"], answer["pid"]) == (0, "already_running", pid)


async def test_stop_touches_no_process_that_has_the_recorded_id_by_chance(machine: Machine) -> None:
    record = await machine.begin()
    psutil.Process(record["pid"]).kill()
    bystander = await asyncio.create_subprocess_exec(*(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE)
    machine.record.write_text(json.dumps({**record, "pid": bystander.pid}))

    answer = await machine.answer("stop")

    await bystander.communicate(b"\n")
    assert bystander.returncode == 0, "it ended by itself"
    assert answer == (0, {"result": "already_stopped", "pid": None})
    assert not machine.record.exists()


@pytest.mark.whole
async def test_a_daemon_that_still_drains_after_the_timeout_is_said_to_and_not_killed(machine: Machine) -> None:
    daemon = psutil.Process((await machine.begin())["pid"])
    daemon.suspend()

    code, answer = await machine.answer("stop", "--timeout", "0.5")
    _, _, errors = await machine.daemon("stop", "--timeout", "0.5")
    is_left_alone = daemon.is_running()
    daemon.resume()

    assert (code, answer) == (1, {"result": "timeout", "pid": daemon.pid})
    assert f"Process {daemon.pid} still drains after 0.5 s." in errors
    assert is_left_alone
    assert (await machine.answer("stop"))[0] == 0
    assert (await machine.answer("status"))[1]["daemon"] is None
    assert not machine.record.exists()


async def test_a_record_that_cannot_be_read_hinders_nobody(machine: Machine) -> None:
    machine.record.parent.mkdir()
    machine.record.write_text("{")

    assert (await machine.answer("status"))[1]["daemon"] is None
    assert (await machine.answer("stop"))[1]["result"] == "already_stopped"


async def test_a_daemon_whose_record_cannot_be_read_is_said_to_be_so_at_once_and_a_hang_up_drains_it(
    machine: Machine,
) -> None:
    daemon = psutil.Process((await machine.begin())["pid"])
    machine.record.write_text("{")

    async with asyncio.timeout(120):
        code, answer = await machine.answer("stop", "--timeout", "600")
        _, _, errors = await machine.daemon("restart", "--stop-timeout", "600")

    assert (code, answer) == (1, {"result": "unknown", "pid": None})
    assert f"its record {machine.record} cannot be read" in errors
    assert daemon.is_running()
    daemon.send_signal(signal.SIGHUP)
    await asyncio.to_thread(daemon.wait, 60)
    assert '"event": "process_stopped"' in (machine.directory / "xnovu" / "daemon.log").read_text()


async def test_a_state_directory_that_others_can_write_to_is_refused_by_every_command(machine: Machine) -> None:
    machine.record.parent.mkdir()
    machine.record.parent.chmod(0o777)

    for command in ("start", "stop", "status", "health", "restart"):
        code, output, errors = await machine.daemon(command)
        assert (code, output) == (1, ""), command
        assert f"{machine.record.parent} can be written to by others" in errors
        assert "Traceback" not in errors
    machine.record.parent.chmod(0o700)


@pytest.mark.whole
@pytest.mark.slow
async def test_a_dev_daemon_brings_its_stack_and_restarts_as_it_was_started(machine: Machine) -> None:
    own = {name: value for name, value in machine.environment.items() if name not in UNREACHABLE}
    with socket.create_server(("127.0.0.1", 0)) as taken:  # which is a container's affair, and none of the daemon's
        dev = Machine(machine.directory, {**own, "PROBE_PORT": str(taken.getsockname()[1])})
        served = ("--enterprises", "ent1,ent2")
        code, started = await dev.answer("start", "--dev", *served, "--workers", "1", "--log-level", "warn")
        assert (code, started["result"]) == (0, "started")
        assert (await _healthy(dev))["enterprise_status"] == {"ent1": "subscribed", "ent2": "subscribed"}
    assert "extra_worker_ended" not in (dev.directory / "xnovu" / "daemon.log").read_text()
    settings = (dev.directory / "xnovu" / "dev.env").read_text()
    assert "export NOVU_SECRET_KEY=" in settings
    assert (dev.directory / "xnovu" / "dev.env").stat().st_mode & 0o077 == 0
    _, said, _ = await dev.daemon("start", "--dev")
    assert "ent1, ent2" in said
    [to_try] = [line for line in said.splitlines() if " send --enterprise ent1 " in line]
    assert await _shell(to_try) == "notification 1: SENT\n"

    code, restarted = await dev.answer("restart", "--workers", "0")
    assert (code, restarted["result"]) == (0, "started")
    assert restarted["pid"] != started["pid"]
    options = (await dev.answer("status"))[1]["daemon"]["options"]
    assert (options["dev"], options["workers"], options["log_level"]) == (True, 0, "warn")
    assert (dev.directory / "xnovu" / "dev.env").read_text() == settings
    assert await _shell(to_try) == "notification 2: SENT\n", "what was there still is"

    assert (await dev.answer("stop"))[1]["result"] == "stopped"
    assert [process for process in psutil.process_iter() if _is_of(process, dev.directory)] == []
    assert not (dev.directory / "xnovu" / "dev.env").exists()
    assert (await dev.answer("start", "--dev", *served, "--fresh"))[0] == 0
    assert (dev.directory / "xnovu" / "dev.env").read_text() != settings
    assert await _shell(to_try) == "notification 1: SENT\n"


async def _shell(command: str) -> str:
    """What a command prints that somebody pastes into a new shell, elsewhere."""
    process = await asyncio.create_subprocess_shell(command, env=HARMLESS, stdout=asyncio.subprocess.PIPE, cwd="/")
    output, _ = await process.communicate()
    return output.decode()


async def _healthy(machine: Machine) -> dict[str, Any]:
    """Its health once it is; a new orchestration takes a moment."""
    async with asyncio.timeout(60):
        while True:
            code, health = await machine.answer("health")
            if code == 0:
                return health
