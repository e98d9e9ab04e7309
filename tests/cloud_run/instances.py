"""The instances of a pool: real processes, as many as asked for, ended as the platform ends them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.processes import ChildProcess

KILLS_AFTER_SECONDS = 10.0
"""What Cloud Run gives between SIGTERM and SIGKILL."""

_LOOKS_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """An instance that was asked to end: whether it did by itself, and in how many seconds."""

    name: str
    pid: int | None
    by_itself: bool
    seconds: float


class Instances:
    """Keeps as many running as were last asked for; one that ends by itself is replaced."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        choose: Callable[[Sequence[ChildProcess]], ChildProcess],
    ) -> None:
        """`choose` says which instance ends: the platform's choice, not ours. Each logs to `directory`."""
        self._command = command
        self._environment = environment
        self._directory = directory
        self.choose = choose
        self._running: list[ChildProcess] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._wanted = 0
        self._started = 0
        self.ended: list[Ended] = []
        self.crashes = 0

    @property
    def running(self) -> int:
        """Processes that were started and not asked to end."""
        return sum(process.pid is not None for process in self._running)

    @property
    def ending(self) -> int:
        """Processes that were asked to end and still run."""
        return len(self._ending)

    @property
    def log_files(self) -> list[Path]:
        """Of all that were ever started."""
        return sorted(self._directory.glob("instance-*.log"))

    def want(self, count: int) -> None:
        """Have so many; `keep` sees to it."""
        self._wanted = count

    async def keep(self) -> None:
        """Start and end instances until cancelled; then kill all."""
        try:
            while True:
                await self._adjust()
                await asyncio.sleep(_LOOKS_EVERY_SECONDS)
        finally:
            for task in self._ending:
                task.cancel()
            await asyncio.gather(*self._ending, return_exceptions=True)
            for process in self._running:
                await process.kill()

    async def _adjust(self) -> None:
        crashed = [process for process in self._running if process.pid is None]
        self.crashes += len(crashed)
        self._running = [process for process in self._running if process.pid is not None]
        while len(self._running) > self._wanted:
            process = self.choose(self._running)
            self._running.remove(process)
            ending = asyncio.create_task(self._end(process))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        while len(self._running) < self._wanted:
            self._started += 1
            name = f"instance-{self._started:04}"
            process = ChildProcess(name, self._directory / f"{name}.log")
            await process.start(self._command, self._environment)
            self._running.append(process)

    async def _end(self, process: ChildProcess) -> None:
        clock = asyncio.get_running_loop().time
        began, pid = clock(), process.pid
        try:
            await process.stop(within_seconds=KILLS_AFTER_SECONDS)
        finally:
            await process.kill()
        seconds = clock() - began
        self.ended.append(Ended(process.name, pid, seconds < KILLS_AFTER_SECONDS, seconds))
