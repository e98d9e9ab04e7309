"""The system under load: the stack, one listener process and one worker process, three enterprises unless told."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import asyncpg
import httpx
from temporalio.client import Client

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess
from stack.sample_data import SampleEnterprise, seed_enterprise

ENTERPRISES = ("acme", "globex", "initech")


@dataclass(frozen=True)
class System:
    """What the measurements hold on to."""

    stack: LocalStack
    database: asyncpg.Connection
    temporal: Client
    http: httpx.AsyncClient
    enterprises: list[SampleEnterprise]
    listener: ChildProcess
    worker: ChildProcess
    environment: Mapping[str, str]
    """Of both processes."""

    async def start_worker(self) -> None:
        """The one that does not run any more."""
        await self.worker.start([sys.executable, "-m", "worker"], self.environment)


@asynccontextmanager
async def running_system(
    directory: Path,
    enterprise_ids: Sequence[str] = ENTERPRISES,
    *,
    seed: tuple[str, int] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[System]:
    """Start everything; stop it at the end. `seed`: a statement and its arguments instead of sample enterprises.
    `settings` are listener's and worker's.
    """
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        listener = ChildProcess("listener", directory / "listener.log")
        worker = ChildProcess("worker", directory / "worker.log")
        database = await asyncpg.connect(stack.environment["XNOVU_STACK_POSTGRES_URL"])
        http = httpx.AsyncClient(timeout=30)
        environment = {**stack.environment, "DAEMON_ENTERPRISE_IDS": ",".join(enterprise_ids), **settings}
        try:
            enterprises = [] if seed else [await seed_enterprise(database, name) for name in enterprise_ids]
            if seed:
                await database.execute(*seed)
            await listener.start([sys.executable, "-m", "listener"], environment)
            await worker.start([sys.executable, "-m", "worker"], environment)
            temporal = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
            yield System(stack, database, temporal, http, enterprises, listener, worker, environment)
        finally:
            await listener.stop(within_seconds=15)
            await worker.stop(within_seconds=15)
            await http.aclose()
            await database.close()
