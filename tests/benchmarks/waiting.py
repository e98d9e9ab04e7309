"""Waiting for rows to reach a final status."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.benchmarks.system import System

GIVES_UP_AFTER_SECONDS = 120.0


async def wait_until(
    check: Callable[[], Awaitable[bool]],
    *,
    poll_seconds: float = 0.05,
    within_seconds: float = GIVES_UP_AFTER_SECONDS,
) -> None:
    """Return when the answer is yes.

    Raises TimeoutError after `within_seconds`.
    """
    deadline = time.monotonic() + within_seconds
    while not await check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"what is waited for has not come in {within_seconds:g} s")
        await asyncio.sleep(poll_seconds)


async def wait_until_settled(
    system: System,
    ids: Sequence[int],
    *,
    poll_seconds: float = 0.05,
    within_seconds: float = GIVES_UP_AFTER_SECONDS,
) -> None:
    """Return when none of the rows is PENDING or PROCESSING.

    Raises TimeoutError after `within_seconds`.
    """
    first, last = min(ids), max(ids)

    async def are_settled() -> bool:
        open_rows: int = await system.database.fetchval(
            """
            select count(*) from notify.ent_notification
             where id between $1 and $2 and notification_status in ('PENDING', 'PROCESSING')
            """,
            first,
            last,
        )
        return open_rows == 0

    await wait_until(are_settled, poll_seconds=poll_seconds, within_seconds=within_seconds)
