"""Peak resident memory of a process and its children."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import psutil

SAMPLE_INTERVAL_SECONDS = 0.1


class PeakMemory:
    """The highest sum of resident sizes seen, in bytes, by name of the process."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self.peak = dict.fromkeys(pids, 0)

    def sample(self) -> None:
        """Look once."""
        for name, process in self._processes.items():
            total = 0
            with suppress(psutil.NoSuchProcess):
                for member in (process, *process.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        total += member.memory_info().rss
            self.peak[name] = max(self.peak[name], total)

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator[None]:
        """Look every tenth of a second while the block runs."""

        async def sample_for_ever() -> None:
            while True:
                self.sample()
                await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)

        task = asyncio.create_task(sample_for_ever())
        try:
            yield
        finally:
            task.cancel()
