"""Waiting for rows to reach a final status."""

import asyncio
import time
from collections.abc import Sequence

from tests.benchmarks.system import System

GIVES_UP_AFTER_SECONDS = 120.0


async def wait_until_settled(system: System, ids: Sequence[int], *, poll_seconds: float = 0.05) -> None:
    """Return when none of the rows is PENDING or PROCESSING.

    Raises TimeoutError after two minutes.
    """
    query = """
        select count(*) from notify.ent_notification
         where id between $1 and $2 and notification_status in ('PENDING', 'PROCESSING')
    """
    deadline = time.monotonic() + GIVES_UP_AFTER_SECONDS
    while await system.database.fetchval(query, min(ids), max(ids)):
        if time.monotonic() > deadline:
            raise TimeoutError("rows are still PENDING or PROCESSING after two minutes")
        await asyncio.sleep(poll_seconds)
