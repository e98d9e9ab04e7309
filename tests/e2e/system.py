"""The whole system from outside: the stack, a listener and a worker as processes that a test may kill."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess
from stack.sample_data import SampleEnterprise, insert_notifications, sample_payload, seed_enterprise

ENTERPRISES = ("acme", "globex", "initech")

PATIENCE_SECONDS = 120.0
"""How long a test waits for what has to come, where it is not about how soon: it ends what hangs."""

SHORT_TIMES = {
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "3000",
    "SUBSCRIPTION_RECONNECT_DELAY": "200",
    "NOTIFICATION_CLAIM_LEASE_SECONDS": "8",
    "NOVU_DOUBT_WAIT_SECONDS": "2",
}


class System:
    """One stack with one listener and one worker."""

    def __init__(
        self,
        stack: LocalStack,
        directory: Path,
        environment: Mapping[str, str],
        enterprise_ids: Sequence[str] = ENTERPRISES,
    ) -> None:
        self.stack = stack
        self.environment = {**stack.environment, "DAEMON_ENTERPRISE_IDS": ",".join(enterprise_ids), **environment}
        self._enterprise_ids = enterprise_ids
        self.listener = ChildProcess("listener", directory / "listener.log")
        self.worker = ChildProcess("worker", directory / "worker.log")
        self.enterprises: list[SampleEnterprise] = []
        self.sink = httpx.AsyncClient(base_url=stack.environment["NOVU_API_URL"], timeout=30)
        self.edge = httpx.AsyncClient(base_url=stack.environment["SUPABASE_URL"], timeout=30)

    async def start_listener(self) -> None:
        await self.listener.start([sys.executable, "-m", "listener"], self.environment)

    async def start_worker(self) -> None:
        await self.worker.start([sys.executable, "-m", "worker"], self.environment)

    async def connect(self) -> asyncpg.Connection:
        """A connection to the database, waiting while it restarts."""
        while True:
            try:
                return await asyncpg.connect(self.stack.environment["XNOVU_STACK_POSTGRES_URL"])
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                await asyncio.sleep(0.1)

    async def seed(self) -> None:
        connection = await self.connect()
        try:
            self.enterprises = [await seed_enterprise(connection, name) for name in self._enterprise_ids]
        finally:
            await connection.close()

    async def says(self, *command: str) -> str:
        """All that an `xnovu` command prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *command),
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    async def insert(self, count: int) -> list[int]:
        """Insert `count` rows, shared out over the enterprises, half of them to render; each to one subscriber.

        Retried until committed: an insert whose connection was lost is looked up by nobody, so its rows are rolled
        back by the server or delivered as extra rows; either way they are read back from the table at the end.
        """
        ids: list[int] = []
        for index, enterprise in enumerate(self.enterprises):
            share = count // len(self.enterprises) + (index < count % len(self.enterprises))
            rows = [
                {
                    "notification_workflow_id": enterprise.dynamic if number % 2 else enterprise.static,
                    "payload": sample_payload(number),
                    "channels": ["EMAIL"],
                }
                for number in range(share)
            ]
            while True:
                connection = await self.connect()
                try:
                    ids += await insert_notifications(connection, enterprise.enterprise_id, rows)
                    break
                except (
                    OSError,
                    asyncpg.PostgresConnectionError,
                    asyncpg.InterfaceError,
                    asyncpg.InternalClientError,  # cut off between two messages
                    asyncpg.OperatorInterventionError,
                ):
                    await asyncio.sleep(0.1)
                finally:
                    connection.terminate()
        return ids

    async def load(self, count: int, *, seconds: float) -> None:
        """Insert `count` rows in twenty portions over about `seconds`."""
        portion = count // 20
        for _ in range(20):
            await self.insert(portion)
            await asyncio.sleep(seconds / 20)

    async def edge_fault(self, name: str, **order: Any) -> int:
        """Ask the edge for a fault (stack/edge/faults.py); returns how many sockets or channels it befell."""
        response = await self.edge.post(f"/_faults/{name}", json=order)
        response.raise_for_status()
        affected: int = response.json()["affected"]
        return affected

    async def sink_faults(self, *faults: Mapping[str, Any]) -> None:
        """Ask the Novu sink for faults, in order (stack/novu_sink/faults.py)."""
        (await self.sink.post("/_sink/faults", json=faults)).raise_for_status()

    async def sink_calls(self, transaction_id_prefix: str = "") -> list[dict[str, Any]]:
        """Every event that Novu accepted, in the order they came (stack/novu_sink/control.py)."""
        response = await self.sink.get("/_sink/calls", params={"transaction_id_prefix": transaction_id_prefix})
        response.raise_for_status()
        calls: list[dict[str, Any]] = response.json()["calls"]
        return calls

    async def sink_settings(self, **changes: Any) -> None:
        """Change what the Novu sink is like (docs/novu_sink.md)."""
        (await self.sink.patch("/_sink/settings", json=changes)).raise_for_status()

    async def sink_truth(self, **chosen: str) -> dict[str, Any]:
        """What each person got in each channel, once Novu's worker has nothing left to do."""
        while True:
            response = await self.sink.get("/_sink/truth", params=chosen)
            response.raise_for_status()
            truth: dict[str, Any] = response.json()
            if not truth["waiting"]:
                return truth
            await asyncio.sleep(0.1)

    async def deliveries(self) -> Counter[str]:
        """How often each transaction id reached people: what Novu recognises as a duplicate reaches nobody."""
        return Counter(
            call["transaction_id"]
            for call in await self.sink_calls()
            if call["status"] == "processed" and not call["duplicate"]
        )

    async def is_settled(self) -> bool:
        """Whether no row is PENDING or PROCESSING."""
        statuses = await self.statuses()
        return bool(statuses) and not statuses["PENDING"] and not statuses["PROCESSING"]

    async def statuses(self) -> Counter[str]:
        connection = await self.connect()
        try:
            rows = await connection.fetch(
                "select notification_status::text as status, count(*) as rows from notify.ent_notification group by 1"
            )
            return Counter({row["status"]: row["rows"] for row in rows})
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return Counter()
        finally:
            connection.terminate()

    async def transaction_ids(self) -> set[str]:
        """Those that every SENT row names."""
        connection = await self.connect()
        try:
            rows = await connection.fetch(
                "select transaction_id from notify.ent_notification where notification_status = 'SENT'"
            )
            return {row["transaction_id"] for row in rows}
        finally:
            await connection.close()

    async def stop(self) -> None:
        await self.listener.stop(within_seconds=60)
        await self.worker.stop(within_seconds=60)
        await self.sink.aclose()
        await self.edge.aclose()


@asynccontextmanager
async def running_system(
    directory: Path, enterprise_ids: Sequence[str] = ENTERPRISES, **environment: str
) -> AsyncIterator[System]:
    """Everything started, the enterprises seeded."""
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, {**SHORT_TIMES, **environment}, enterprise_ids)
        try:
            await system.seed()
            await asyncio.gather(system.start_listener(), system.start_worker())
            yield system
        finally:
            await system.stop()


async def eventually(check: Callable[[], Awaitable[bool]], *, within: float = PATIENCE_SECONDS, what: str) -> None:
    """Ask until the answer is yes; fails with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not await check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.1)
