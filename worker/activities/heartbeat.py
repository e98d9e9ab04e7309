"""A heartbeat beside a long activity, so that Temporal notices a dead worker within seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from temporalio import activity

from shared.supervision import Supervisor

HEARTBEAT_INTERVAL_SECONDS = 4.0


@asynccontextmanager
async def heartbeating(details: Callable[[], Sequence[object]]) -> AsyncIterator[None]:
    """Heartbeat with what `details` returns then, for as long as the block runs and this event loop lives. One that
    fails is told of, and the next one comes: without any, Temporal would have another worker begin anew beside this.
    """

    async def beat() -> None:
        while True:  # the start itself counts as the first sign of life: a short activity costs no heartbeat
            await asyncio.sleep(HEARTBEAT_INTERVAL_SECONDS)
            activity.heartbeat(*details())

    task = asyncio.create_task(Supervisor().keep("heartbeat of an activity", beat))
    try:
        yield
    finally:
        task.cancel()
