"""A system whose workers are instances of a Cloud Run pool, as many as the autoscale function says, tick by tick."""

import asyncio
import hashlib
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess, free_port
from tests.cloud_run.instances import Instances
from tests.cloud_run.serving import serving
from tests.cloud_run.worker_pools import WorkerPools
from tests.e2e.system import SHORT_TIMES, System, eventually

POOL = "projects/test/locations/test/workerPools/xnovu-worker"
FUNCTION = Path(__file__).parents[2] / "functions" / "main.py"

TICK_SECONDS = 2.0
"""Instead of Cloud Scheduler's minute: time is thirty times faster. Temporal's means of thirty seconds are not, nor is
what an instance takes to start.
"""

FASTER = {
    "AUTOSCALE_DRAIN_SECONDS": "10",
    "AUTOSCALE_QUIET_SECONDS": "6",
    "AUTOSCALE_BACKLOG_AGE_SECONDS": "15",
}

POOL_OF_FOUR = {
    "AUTOSCALE_WORKER_POOL": POOL,
    "AUTOSCALE_MIN_INSTANCES": "0",
    "AUTOSCALE_MAX_INSTANCES": "4",
    "AUTOSCALE_TASKS_PER_SECOND": "1",
    "AUTOSCALE_STEP_UP": "2",
}

SMALL_WORKERS = {"TEMPORAL_MAX_CONCURRENT_ACTIVITIES": "1", "TEMPORAL_MAX_CONCURRENT_WORKFLOWS": "2"}
"""So that a queue for four of them is no queue for this machine."""


@dataclass
class ScaledSystem:
    """The system, its pool, and what the function answered at each tick."""

    system: System
    pools: WorkerPools
    instances: Instances
    ticks: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    scaler_log: Path = Path()
    ticking: "asyncio.Task[None] | None" = None

    def counts(self, since: int = 0) -> list[int]:
        """How many instances each tick from this one on decided upon."""
        return [tick["instances"] for tick in self.ticks[since:]]

    async def wait_for_nobody(self, *, within: float) -> None:
        """Until the pool is down to zero and every process has ended."""

        async def nobody() -> bool:
            self.require_ticks()
            return self.pools.instances == 0 and self.instances.running == 0 and self.instances.ending == 0

        await eventually(nobody, within=within, what="the pool is empty")

    def require_ticks(self) -> None:
        """Fail with its cause if the ticks have ended."""
        if self.ticking is not None and self.ticking.done():
            self.ticking.result()

    async def slow_novu(self, milliseconds: int, requests: int | None = None) -> None:
        """Novu takes so long for every request, or for the next few."""
        await self.system.sink.delete("/_sink/faults")
        await self.system.sink_faults({"kind": "latency", "milliseconds": milliseconds, "requests": requests})


@asynccontextmanager
async def scaled_system(directory: Path) -> AsyncIterator[ScaledSystem]:
    """A listener, no worker, and a scaler that ticks."""
    async with LocalStack(directory / "stack", novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES)
        instances = Instances(
            [sys.executable, "-m", "worker"],
            {**system.environment, **SMALL_WORKERS},
            directory,
            choose=random.Random(0).choice,
        )
        pools = WorkerPools(POOL, on_change=instances.want)
        keeping = asyncio.create_task(instances.keep())
        scaled = ScaledSystem(system, pools, instances, scaler_log=directory / "autoscale.log")
        try:
            await system.seed()
            await system.start_listener()
            async with serving(pools) as cloud_run, _autoscale(scaled, cloud_run) as client:
                scaled.ticking = asyncio.create_task(_tick(scaled, client))
                yield scaled
                scaled.require_ticks()
                scaled.ticking.cancel()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await system.stop()


@asynccontextmanager
async def _autoscale(scaled: ScaledSystem, cloud_run: str) -> AsyncIterator[httpx.AsyncClient]:
    """The function as its container runs it, and its caller."""
    port = free_port()
    function = ChildProcess("autoscale", scaled.scaler_log)
    await function.start(
        [str(Path(sys.executable).with_name("functions-framework"))],
        {
            **scaled.system.environment,
            **POOL_OF_FOUR,
            **FASTER,
            "AUTOSCALE_CLOUD_RUN_ENDPOINT": cloud_run,
            "FUNCTIONS_API_KEYS": f"scheduler:{hashlib.sha256(b'key').hexdigest()}",
            "FUNCTION_SOURCE": str(FUNCTION),
            "FUNCTION_TARGET": "autoscale",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        },
    )
    headers = {"X-Api-Key": "key"}
    # A connection for each call, as of one who calls once a minute: gunicorn ends an idle one after two seconds.
    limits = httpx.Limits(max_keepalive_connections=0)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, limits=limits
        ) as client:

            async def listens() -> bool:
                try:
                    return (await client.get("/openapi.json")).status_code == 200
                except httpx.TransportError:
                    return False

            await function.wait_until_ready(listens, 120)
            yield client
    finally:
        await function.stop(within_seconds=10)


async def _tick(scaled: ScaledSystem, client: httpx.AsyncClient) -> None:
    """A call every tick, whatever became of the last."""
    loop = asyncio.get_running_loop()
    next_at = loop.time()
    while True:
        answer = await client.post("/")
        if answer.status_code == 200:
            scaled.ticks.append(answer.json())
        else:
            scaled.refused.append(f"{answer.status_code} {answer.text}")
        next_at = max(next_at + TICK_SECONDS, loop.time())
        await asyncio.sleep(next_at - loop.time())
