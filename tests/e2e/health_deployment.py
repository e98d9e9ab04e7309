"""Forty enterprises served by two listeners and two workers, a door before each server, and what is seen of them."""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from tests.e2e.door import Door, door_before
from tests.e2e.program import Program
from tests.e2e.system import SHORT_TIMES, System, eventually

ENTERPRISES = tuple(f"ent{number:02}" for number in range(40))
LOOK_IS_OLD_SECONDS = 6.0
"""A look comes every three seconds and takes up to three."""

_UNFINISHED = """
    select count(*) from notify.ent_notification where notification_status in ('PENDING', 'PROCESSING')
"""


class Deployment:
    """A daemon (a listener and a worker), and another of each as processes of their own."""

    def __init__(self, system: System, doors: dict[str, Door], health_port: int, directory: Path) -> None:
        self.system = system
        self.doors = doors
        self.health_url = f"http://127.0.0.1:{health_port}"
        self._health = httpx.AsyncClient(base_url=self.health_url, timeout=5)
        addresses = {
            "SUPABASE_URL": f"http://127.0.0.1:{doors['supabase'].port}",
            "NEXT_PUBLIC_SUPABASE_URL": f"http://127.0.0.1:{doors['supabase'].port}",
            "TEMPORAL_ADDRESS": f"127.0.0.1:{doors['temporal'].port}",
            "NOVU_API_URL": f"http://127.0.0.1:{doors['novu'].port}",
        }
        self.environment = environment = {**system.environment, **addresses}
        self._operator = System(system.stack, directory, {**environment, "XDG_STATE_HOME": str(directory)}, ENTERPRISES)
        self.daemon = Program("daemon", directory, {**environment, "DAEMON_HEALTH_PORT": str(health_port)})
        self.listener = Program("listener", directory, environment)
        self.worker = Program("worker", directory, environment)
        self._truths: deque[tuple[float, int]] = deque(maxlen=200)

    async def is_healthy(self) -> bool:
        """Whether the daemon says so."""
        try:
            status = (await self._health.get("/status", headers={"Accept": "application/json"})).json()["status"]
        except httpx.TransportError:
            return False
        return bool(status == "healthy")

    async def first_line(self) -> str:
        """What `xnovu daemon health` says first."""
        return (await self._operator.says("daemon", "health")).partition("\n")[0]

    async def count(self) -> None:
        """Count the rows that are held up, for ever and past all of our code; while the database is away nobody can."""
        while True:
            try:
                connection = await asyncpg.connect(self.system.stack.environment["XNOVU_STACK_POSTGRES_URL"], timeout=3)
                try:
                    while True:
                        rows = await connection.fetchval(_UNFINISHED, timeout=3)
                        self._truths.append((time.monotonic(), rows))
                        await asyncio.sleep(0.25)
                finally:
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.25)

    def truths(self, since: float) -> Sequence[int]:
        """What was counted since then, and since the oldest look that an answer of now can be of."""
        oldest = max(since, time.monotonic() - LOOK_IS_OLD_SECONDS)
        return [rows for at, rows in self._truths if at >= oldest]

    async def aclose(self) -> None:
        await self._health.aclose()
        await self._operator.stop()


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """These processes and all of theirs are frozen within the block."""
    processes = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            if process.is_running():
                os.kill(process.pid, signal.SIGCONT)


@asynccontextmanager
async def running_deployment(directory: Path) -> AsyncIterator[Deployment]:
    """All of it, healthy."""
    port = free_port()
    async with AsyncExitStack() as parts:
        stack = await parts.enter_async_context(LocalStack(directory, novu_settings=FORGIVING_NOVU))
        doors = {
            name: await parts.enter_async_context(door_before(behind, free_port()))
            for name, behind in (
                ("supabase", stack.edge.port),
                ("temporal", stack.temporal.port),
                ("novu", stack.novu_sink.port),
            )
        }
        system = System(stack, directory, SHORT_TIMES, ENTERPRISES)
        parts.push_async_callback(system.stop)
        await system.seed()
        deployment = Deployment(system, doors, port, directory)
        parts.push_async_callback(deployment.aclose)
        for program in (deployment.daemon, deployment.listener, deployment.worker):
            parts.enter_context(program)
        counting = asyncio.create_task(deployment.count())
        parts.callback(counting.cancel)
        await eventually(deployment.is_healthy, what="healthy at first")
        await system.insert(len(ENTERPRISES))
        await eventually(system.is_settled, what="the first rows are sent")
        yield deployment
