"""What chaos comes over: a stack with two listeners and two workers, each of which can be killed and started."""

from __future__ import annotations

import asyncio
import sys
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import psutil

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess
from tests.chaos import claims, room
from tests.e2e.system import SHORT_TIMES, System, eventually

PROJECT = Path(__file__).parents[2]
BEFORE = PROJECT / "tests" / "e2e" / "releases" / "0.1.0.tar.xz"
"""See tests/e2e/test_upgrade.py."""

TIMES = {**SHORT_TIMES, "NOVU_REQUEST_TIMEOUT_SECONDS": "5", "XNOVU_BUILD": "chaos"}

STARTED_WITHIN_SECONDS = 120.0

REALISTIC_NOVU: Mapping[str, Any] = {
    **FORGIVING_NOVU,
    "worker": {"delay_seconds": [0, 3]},
}
"""Novu's queue is longer than NOVU_DOUBT_WAIT_SECONDS now and then."""


SLOW_TO_STORE = {"delay_seconds": [0, 3], "storing_seconds": 2.0}
"""Where Novu heeds the Idempotency-Key, how long its worker takes must not matter at all."""


class Ours:
    """One of our processes, which is started with the same command each time."""

    def __init__(
        self,
        part: str,
        name: str,
        directory: Path,
        environment: Mapping[str, str],
        *,
        mutant: str = "",
        source: Path = PROJECT,
    ) -> None:
        """`source`: where the code is. Python looks first where it is started."""
        self.part = part
        self._environment = environment
        module = [part] if not mutant else ["tests.chaos.mutated", mutant, part]
        self._command = ["/usr/bin/env", "-C", str(source), sys.executable, "-m", *module]
        self._process = ChildProcess(f"{part} {name}", directory / f"{part}-{name}.log")

    @property
    def log_file(self) -> Path:
        """What it says, from its first start on."""
        return self._process.log_file

    @property
    def pid(self) -> int | None:
        """Its process id, or None where it is not running."""
        return self._process.pid

    async def start(self, more: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start it, without waiting until it is ready; `more` is added to its environment this time."""
        await self._process.start(self._command, {**self._environment, **more})

    async def has_started(self) -> bool:
        """Whether it has ever said so."""
        said = await asyncio.to_thread(self.log_file.read_text, encoding="utf-8", errors="replace")
        return f"{self.part}_started" in said

    async def kill(self) -> None:
        """SIGKILL it and its children."""
        await self._process.kill()

    async def stop(self) -> None:
        """SIGTERM, as whoever replaces it would."""
        await self._process.stop(within_seconds=15)


class Bed:
    """One stack, and what runs on it."""

    def __init__(
        self,
        system: System,
        directory: Path,
        *,
        heeds_idempotency: bool,
        lease_seconds: int,
        each: int = 2,
        mutant: str = "",
    ) -> None:
        self.system = system
        self.stack = system.stack
        self.directory = directory
        self.heeds_idempotency = heeds_idempotency
        self.lease_seconds = lease_seconds
        self.ours = [
            Ours(part, str(number), directory, system.environment, mutant=mutant)
            for part in ("listener", "worker")
            for number in range(1, each + 1)
        ]
        before = _release_before(directory)
        self.before = [
            Ours(part, "before", directory, system.environment, source=before) for part in ("listener", "worker")
        ]
        """Of the release before; not running, but for a while."""

    async def start(self) -> None:
        """All of ours at once; returns when each has said that it works, so that the first fault strikes at work."""
        await asyncio.gather(*(process.start() for process in self.ours))
        for process in self.ours:
            await eventually(process.has_started, within=STARTED_WITHIN_SECONDS, what=f"{process.part} has started")

    async def stop(self) -> None:
        """All of ours; the stack is whoever made it to end."""
        await asyncio.gather(*(process.stop() for process in [*self.ours, *self.before]))
        await self.system.stop()

    async def edge_fault(self, name: str, **order: Any) -> None:
        """Ask the edge for a fault, which may be away itself for a moment; httpx.HTTPStatusError if it cannot."""
        await _answered(lambda: self.system.edge.post(f"/_faults/{name}", json=order), must_succeed=True)

    async def end_edge_faults(self, name: str = "") -> None:
        """End that kind of fault, or all; one that is over already is none."""
        await _answered(lambda: self.system.edge.delete(f"/_faults/{name}" if name else "/_faults"))

    async def novu_fault(self, fault: Mapping[str, Any]) -> None:
        """The sink's next fault (docs/novu_sink.md)."""
        await _answered(lambda: self.system.sink.post("/_sink/faults", json=[fault]), must_succeed=True)

    async def end_novu_faults(self) -> None:
        await _answered(lambda: self.system.sink.delete("/_sink/faults"))

    async def novu_is(self, **settings: Any) -> None:
        """Change what Novu is like, until `novu_is_as_ever`."""
        await _answered(lambda: self.system.sink.patch("/_sink/settings", json=settings), must_succeed=True)

    async def novu_is_as_ever(self) -> None:
        await _answered(lambda: self.system.sink.delete("/_sink/settings"))

    async def calm(self) -> None:
        """End every disturbance that lasts, and see that everything runs."""
        await self.end_edge_faults()
        await self.end_novu_faults()
        await self.novu_is_as_ever()
        for process in self.ours:
            if process.pid is None:
                await process.start()


async def _answered(ask: Callable[[], Awaitable[httpx.Response]], *, must_succeed: bool = False) -> None:
    while True:
        try:
            response = await ask()
        except httpx.TransportError:
            await asyncio.sleep(0.1)
            continue
        if must_succeed:
            response.raise_for_status()
        return


def _release_before(directory: Path) -> Path:
    """Its code, unpacked."""
    with tarfile.open(BEFORE) as archive:
        archive.extractall(directory / "before", filter="data")
    return directory / "before"


def suspend(process_id: int | None, *, on: bool) -> None:
    """SIGSTOP or SIGCONT one process and its children, as one machine that stands still; one that is gone is none."""
    if process_id is None:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(process_id)
        family = [process, *process.children(recursive=True)]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                (each.suspend if on else each.resume)()


@asynccontextmanager
async def running_bed(
    directory: Path,
    enterprise_ids: Sequence[str],
    *,
    heeds_idempotency: bool,
    lease_seconds: int = 8,
    mutant: str = "",
    before_ours: Callable[[LocalStack], Awaitable[None]] | None = None,
    answers_lost: float = 0.005,
) -> AsyncIterator[Bed]:
    """Everything started, the enterprises seeded. `mutant`: which lock is taken out of our processes;
    `before_ours` is done before these are started. `answers_lost`: the share of Novu's that never come.
    """
    novu = {**REALISTIC_NOVU, "idempotency": heeds_idempotency}
    novu["answers"] = {"lost_share": answers_lost}
    if heeds_idempotency:
        novu["worker"] = SLOW_TO_STORE
    async with LocalStack(directory / "stack", novu_settings=novu) as stack:
        settings = {
            "NOVU_IDEMPOTENCY": "on" if heeds_idempotency else "off",
            "NOTIFICATION_CLAIM_LEASE_SECONDS": str(lease_seconds),
        }
        system = System(stack, directory, {**TIMES, **settings}, enterprise_ids)
        bed = Bed(system, directory, heeds_idempotency=heeds_idempotency, lease_seconds=lease_seconds, mutant=mutant)
        try:
            await system.seed()
            await room.prepare(stack.postgres.url)
            if before_ours is not None:
                await before_ours(stack)
            await claims.watch(stack.postgres.url)
            await bed.start()
            yield bed
        finally:
            await bed.stop()
