"""Child processes that leave nothing behind, whatever kills us, and that say why they did not start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType

import psutil

_LAUNCHER = Path(__file__).with_name("child_launcher.py")
_PROBE_INTERVAL_SECONDS = 0.02
_LOG_TAIL_LINES = 15
# Below the range the kernel picks outgoing connections' ports from: a port stays ours while its server restarts.
_PORTS = range(20_000, 32_000)


class PartFailed(Exception):
    """A part of the stack did not start, or ended by itself. The message names the part and holds its last words."""


def free_port() -> int:
    """A loopback TCP port nobody listens on, and that no other stack gets for as long as we live."""
    while True:
        port = SystemRandom().choice(_PORTS)
        if reserve(port) and is_free(port):
            return port


def reserve(port: int) -> bool:
    """Keep the port from other stacks until this process ends: its server may not be up for a while, and may restart.

    What is bound is the UDP port of the same number, which no server of ours wants. False if another has it.
    """
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reservation.bind(("127.0.0.1", port))
    except OSError:
        reservation.close()
        return False
    reservation.detach()  # stays bound, and is closed with the process
    return True


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback TCP port now."""
    with socket.socket() as candidate:
        # Connections of a predecessor that are still closing do not make a port taken; servers set this too.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def await_free_port(port: int, within_seconds: float = 3.0) -> bool:
    """Whether it is free, or becomes so in time: a predecessor that was killed takes a moment to let go."""
    deadline = time.monotonic() + within_seconds
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_PROBE_INTERVAL_SECONDS)
    return True


def bound_command(command: Sequence[str], death_signal: signal.Signals, user: str | None = None) -> list[str]:
    """The command, made to run as `user` and (on Linux) to get the signal when the thread that starts it ends."""
    return [
        *(sys.executable, "-IS", str(_LAUNCHER)),
        *(str(os.getpid()), str(int(death_signal)), user or "-"),
        *command,
    ]


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: a zombie, whose new parent has not looked yet, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class ChildProcess:
    """One server: its command, its log file, and the process while there is one.

    On Linux the process ends with us, SIGKILL included. The kernel watches the *thread* that starts it: start it on
    an event loop whose thread lasts as long as the stack (the main thread, as a rule).
    """

    def __init__(
        self,
        name: str,
        log_file: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        user: str | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._stop_signal = stop_signal
        self._death_signal = death_signal
        self._user = user
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None where none is running."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start the command with this environment added to ours; its output is appended to the log file."""
        if self.pid is not None:
            raise PartFailed(f"{self.name} is running already (process {self.pid})")
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *bound_command(command, self._death_signal, self._user),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is for us: we stop the parts in order
            )

    async def wait_until_ready(self, is_ready: Callable[[], Awaitable[bool]], within_seconds: float) -> None:
        """Ask until the answer is yes. Raises PartFailed when the process ends first, or time is up."""
        deadline = time.monotonic() + within_seconds
        while not await is_ready():
            if self.pid is None:
                raise self._failure(f"ended with code {self._returncode()} before it was ready")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {within_seconds:g} s")
            await asyncio.sleep(_PROBE_INTERVAL_SECONDS)

    async def run(self, command: Sequence[str], within_seconds: float) -> None:
        """Run a command to its end. Raises PartFailed where that is not exit code 0.

        It does not go on when time is up, or when the caller is cancelled.
        """
        await self.start(command)
        try:
            async with asyncio.timeout(within_seconds):
                await self.wait()
        except TimeoutError:
            raise self._failure(f"did not end within {within_seconds:g} s") from None
        finally:
            await self.kill()
        if self._returncode() != 0:
            raise self._failure(f"ended with code {self._returncode()}")

    async def stop(self, within_seconds: float) -> None:
        """Ask the process to end; after the given time, kill it. A process that is not running is no error."""
        if self.pid is None or self._process is None:
            return
        self._process.send_signal(self._stop_signal)
        try:
            async with asyncio.timeout(within_seconds):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL the process and all its descendants, and wait until they are gone."""
        if self.pid is None or self._process is None:
            return
        descendants: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # it ended this very moment
            process = psutil.Process(self.pid)
            process.suspend()  # it cannot start another one while we look
            descendants = process.children(recursive=True)
            process.kill()
        for descendant in filter(_is_alive, descendants):
            with suppress(psutil.NoSuchProcess):
                descendant.kill()
        await self._process.wait()
        while any(map(_is_alive, descendants)):  # noqa: ASYNC110 (nobody tells us when a grandchild ends)
            await asyncio.sleep(_PROBE_INTERVAL_SECONDS)

    async def wait(self) -> None:
        """Return when the process has ended."""
        if self._process is not None:
            await self._process.wait()

    def _returncode(self) -> int | None:
        return self._process.returncode if self._process else None

    def _failure(self, what: str) -> PartFailed:
        lines = self.log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return PartFailed("\n".join([f"{self.name} {what}. The end of its log:", *lines]))
