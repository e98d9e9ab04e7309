"""The ceiling: an empty workflow with one empty activity, on the same server, its worker in a process of its own.

Run as a module it is that worker.
"""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

TASK_QUEUE = "ceiling"
SAMPLES = 100
WORKFLOWS = 300
WORKFLOWS_AT_ONCE = 50
"""More at once only make the server slower."""


@activity.defn
async def do_nothing() -> None:
    """The activity."""


@workflow.defn
class CeilingWorkflow:
    """One activity, nothing else."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(do_nothing, start_to_close_timeout=timedelta(seconds=10))


@dataclass(frozen=True)
class Ceiling:
    """Median latency of one at a time, in milliseconds; workflows per second of many at once."""

    p50_ms: float
    per_second: float


async def measure(client: Client, environment: Mapping[str, str]) -> Ceiling:
    """Measure both, after a warm-up."""
    async with _worker_process(environment):
        await asyncio.gather(*(_run(client) for _ in range(20)))
        latencies = []
        for _ in range(SAMPLES):
            started = time.perf_counter()
            await _run(client)
            latencies.append((time.perf_counter() - started) * 1000)
        places = asyncio.Semaphore(WORKFLOWS_AT_ONCE)

        async def run_one() -> None:
            async with places:
                await _run(client)

        started = time.perf_counter()
        await asyncio.gather(*(run_one() for _ in range(WORKFLOWS)))
        return Ceiling(median(latencies), WORKFLOWS / (time.perf_counter() - started))


async def _run(client: Client) -> None:
    await client.execute_workflow(CeilingWorkflow.run, id=f"ceiling/{uuid.uuid4()}", task_queue=TASK_QUEUE)


@asynccontextmanager
async def _worker_process(environment: Mapping[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.ceiling", env={**os.environ, **environment}
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def _work() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    await Worker(client, task_queue=TASK_QUEUE, workflows=[CeilingWorkflow], activities=[do_nothing]).run()


if __name__ == "__main__":
    from tests.benchmarks.ceiling import _work as work  # the workflow must not live in __main__: it is imported again

    asyncio.run(work())
