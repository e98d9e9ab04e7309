"""The stack's child processes: they end with us, and say why they did not start."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.processes import ChildProcess, PartFailed, bound_command, free_port, is_free
from tests.integration.process_ends import assert_gone

SLEEP_FOR_EVER = [sys.executable, "-c", "import signal; signal.pause()"]

STARTS_A_CHILD = """
import signal, subprocess, sys
from stack.processes import bound_command
child = subprocess.Popen(bound_command([sys.executable, "-c", "print('up', flush=True); import signal; signal.pause()"],
                                       signal.SIGKILL), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def test_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_A_CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()

        parent.kill()

    assert_gone([child])


def test_a_child_whose_parent_is_gone_already_does_not_start() -> None:
    command = bound_command([sys.executable, "-c", "print('started')"], signal.SIGTERM)
    parent = command.index(str(psutil.Process().pid))
    command[parent] = "1"

    finished = subprocess.run(command, capture_output=True, check=False)

    assert (finished.returncode, finished.stdout) == (-signal.SIGKILL, b"")


async def test_killing_a_child_takes_its_descendants(tmp_path: Path) -> None:
    log = tmp_path / "log"
    family = ChildProcess("family", log)
    starts_another = f"import subprocess; subprocess.run({SLEEP_FOR_EVER!r})"
    await family.start([sys.executable, "-c", starts_another])
    process = psutil.Process(family.pid)

    async def has_a_child() -> bool:
        return bool(process.children())

    await family.wait_until_ready(has_a_child, within_seconds=10)
    [child] = process.children()

    await family.kill()

    assert_gone([process, child], within_seconds=0)


async def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = ChildProcess("stubborn", log)
    ignores = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    await stubborn.start([sys.executable, "-c", ignores])

    async def has_spoken() -> bool:
        return log.stat().st_size > 0

    await stubborn.wait_until_ready(has_spoken, within_seconds=10)

    await stubborn.stop(within_seconds=0.1)

    assert stubborn.pid is None


async def test_a_child_that_ends_too_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = ChildProcess("oven", tmp_path / "log")
    await child.start([sys.executable, "-c", "import sys; print('no gas'); sys.exit(3)"])

    async def never() -> bool:
        return False

    with pytest.raises(PartFailed, match=r"oven ended with code 3 before it was ready.*\nno gas"):
        await child.wait_until_ready(never, within_seconds=10)


async def test_a_child_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    child = ChildProcess("oven", tmp_path / "log")
    await child.start(SLEEP_FOR_EVER)

    async def never() -> bool:
        return False

    try:
        with pytest.raises(PartFailed, match=r"oven was not ready within 0.1 s"):
            await child.wait_until_ready(never, within_seconds=0.1)
    finally:
        await child.kill()


async def test_a_command_does_not_outlive_who_waits_for_it(tmp_path: Path) -> None:
    command = ChildProcess("command", tmp_path / "log")
    waiting = asyncio.create_task(command.run(SLEEP_FOR_EVER, within_seconds=60))
    while (pid := command.pid) is None:  # noqa: ASYNC110 (a start sets no event)
        await asyncio.sleep(0)
    process = psutil.Process(pid)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert_gone([process], within_seconds=0)


async def test_a_command_that_takes_too_long_is_ended_and_reported(tmp_path: Path) -> None:
    command = ChildProcess("command", tmp_path / "log")

    with pytest.raises(PartFailed, match=r"command did not end within 0.1 s"):
        await command.run(SLEEP_FOR_EVER, within_seconds=0.1)

    assert command.pid is None


def test_a_free_port_can_be_listened_on() -> None:
    assert is_free(free_port())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts anything as somebody else")
def test_who_is_not_root_any_more_still_finds_programs_in_root_s_own_folders(tmp_path: Path) -> None:
    """As initdb looks for its own: by access(2), which asks for the real user's rights."""
    tmp_path.chmod(0o700)
    program = tmp_path / "program"
    program.touch(mode=0o700)
    question = f"import os; print(os.getuid() != 0, os.access({str(program)!r}, os.X_OK))"

    command = bound_command([sys.executable, "-c", question], signal.SIGTERM, "nobody")

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True True\n"
