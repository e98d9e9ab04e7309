"""One of our processes from outside: how it starts, what it says, how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from stack.processes import bound_command, free_port
from tests.e2e.promptness import promptly
from tests.e2e.system import PATIENCE_SECONDS

ARGUMENTS = {
    "listener": ("-m", "listener"),
    "worker": ("-m", "worker"),
    "daemon": ("-m", "cli", "daemon", "start", "--foreground"),
}

_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


class Program:
    """`python -m <program>` with this environment and nothing of ours; it is killed at the end of the block."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str], *options: str) -> None:
        self.name = name
        self.log_file = directory / f"{name}.log"
        self._error_file = directory / f"{name}.errors"
        own = {"XDG_STATE_HOME": str(directory), "DAEMON_HEALTH_PORT": str(free_port())} if name == "daemon" else {}
        self._environment = {**_HARMLESS, **own, **environment}
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, or start it again; what it says is added to its log."""
        command = [sys.executable, *ARGUMENTS[self.name], *self._options]
        with self.log_file.open("ab") as log, self._error_file.open("ab") as errors:
            self._process = subprocess.Popen(
                bound_command(command, signal.SIGKILL), stdout=log, stderr=errors, env=self._environment
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    def kill(self) -> None:
        """SIGKILL, as a machine that is gone; it can be started again."""
        self._running.kill()
        self._running.wait()

    def signal(self, number: signal.Signals) -> None:
        """To this process alone."""
        self._running.send_signal(number)

    def descendants(self) -> list[psutil.Process]:
        """Its children, and theirs."""
        return psutil.Process(self._running.pid).children(recursive=True)

    def family(self) -> list[psutil.Process]:
        """It and its descendants."""
        return [psutil.Process(self._running.pid), *self.descendants()]

    def require_running(self) -> None:
        """Fail with its last words if it has ended."""
        code = self._running.poll()
        assert code is None, f"{self.name} ended with code {code}:\n{self.errors()}"

    async def exit_code(self, *, within: float = PATIENCE_SECONDS) -> int:
        """The code it ends with; negative for the signal that ended it. `within`: as promptly counts."""

        async def has_ended() -> bool:
            return self._running.poll() is not None

        await promptly(has_ended, within=within, what=f"{self.name} ends")
        return self._running.returncode

    def errors(self) -> str:
        """What it has written to standard error."""
        return self._error_file.read_text()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "started first"
        return self._process


async def assert_gone(processes: Sequence[psutil.Process], *, within: float) -> None:
    """Each has ended; one that its new parent has not waited for yet (a zombie) has. `within`: as promptly counts."""

    async def are_gone() -> bool:
        return not any(map(_is_alive, processes))

    await promptly(are_gone, within=within, what="no process is left behind")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
