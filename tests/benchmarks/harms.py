"""A hundred inserts a second while what carries their rings is broken: what each takes, and what becomes of it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import quantiles

import asyncpg

from stack.edge.realtime.tenant import drop_todays_partition, prepare_tenant
from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import count_deliveries, read_transaction_ids
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until_settled

SECONDS = float(os.environ.get("XNOVU_BENCH_HARM_SECONDS", "20"))
INTERVAL_SECONDS = 0.01


@dataclass(frozen=True)
class Harm:
    """What inserts took, in milliseconds; how many failed; and of the rows written, how many were sent not once."""

    inserts: int
    p50_ms: float
    worst_ms: float
    failed: int
    not_once: int


@asynccontextmanager
async def _nothing(system: System) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _locked(system: System) -> AsyncIterator[None]:
    """As Realtime itself does as it connects, to one of the partitions."""
    async with _administrator(system) as other, other.transaction():
        await other.execute("lock table realtime.messages in access exclusive mode")
        yield


@asynccontextmanager
async def _killed(system: System) -> AsyncIterator[None]:
    """Realtime and REST are one process here: the listener has neither."""
    await system.stack.edge.kill()
    try:
        yield
    finally:
        await system.stack.edge.start()


@asynccontextmanager
async def _no_partition(system: System) -> AsyncIterator[None]:
    async with _administrator(system) as other:
        await drop_todays_partition(other)
        try:
            yield
        finally:
            await prepare_tenant(other)


@asynccontextmanager
async def _no_function(system: System) -> AsyncIterator[None]:
    async with _administrator(system) as other:
        await other.execute("alter function realtime.send rename to sent")
        try:
            yield
        finally:
            await other.execute("alter function realtime.sent rename to send")


HARMS: dict[str, Callable[[System], AbstractAsyncContextManager[None]]] = {
    "unharmed": _nothing,
    "locked": _locked,
    "killed": _killed,
    "no_partition": _no_partition,
    "no_function": _no_function,
}


async def measure(system: System, name: str) -> Harm:
    """Write for a while under the harm called `name`, mend it, wait until everything is settled, and count."""
    took: list[float] = []
    ids: list[int] = []
    failed = 0
    async with HARMS[name](system):
        started = time.perf_counter()
        for number in range(int(SECONDS / INTERVAL_SECONDS)):
            enterprise = system.enterprises[number % len(system.enterprises)]
            row = {"notification_workflow_id": enterprise.static, "payload": sample_payload(number)}
            await asyncio.sleep(max(0.0, started + number * INTERVAL_SECONDS - time.perf_counter()))
            before = time.perf_counter()
            try:
                ids += await insert_notifications(system.database, enterprise.enterprise_id, [row])
            except asyncpg.PostgresError:
                failed += 1
            took.append(1000 * (time.perf_counter() - before))
    with suppress(TimeoutError):  # what is not settled by then is counted below
        await wait_until_settled(system, ids)
    transaction_ids = set((await read_transaction_ids(system, ids)).values())
    deliveries = await count_deliveries(system, transaction_ids)
    not_once = sum(deliveries.get(each, 0) != 1 for each in transaction_ids)
    return Harm(len(took), quantiles(took, n=2)[0], max(took), failed, not_once)


@asynccontextmanager
async def _administrator(system: System) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(system.stack.postgres.url)
    try:
        yield connection
    finally:
        await connection.close()
