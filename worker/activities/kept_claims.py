"""Claims are kept for as long as the work on their rows takes: nobody else is to take up what is being worked on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def while_renewing(
    work: Awaitable[Result], renew: Callable[[], Awaitable[None]], *, every_seconds: float
) -> Result:
    """What `work` returns or raises, however long it takes; `renew` is awaited whenever it has taken so long again.
    What that raises is raised, and ends the work.
    """
    working = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({working}, timeout=every_seconds))[0]:
            await renew()
        return working.result()
    finally:
        working.cancel()
