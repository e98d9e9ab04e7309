"""HTTP requests that one full batch takes: those to Novu as the sink counts them, those to Supabase as PostgreSQL does.

Each request of the worker to Supabase is one call of an SQL function, and PostgreSQL counts those (`track_functions`).
"""

import asyncio
from dataclasses import dataclass

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import count_requests
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until_settled

WORKER_FUNCTIONS = ("claim_notifications", "record_outcomes", "renew_claims", "release_claims")


@dataclass(frozen=True)
class FullBatch:
    """Requests of one batch of 100, and its rows' ids."""

    http_requests: int
    notification_ids: list[int]


async def count_calls(system: System) -> int:
    """Calls of the worker's SQL functions so far."""
    await system.database.execute("select pg_stat_clear_snapshot()")
    calls: int = await system.database.fetchval(
        """
        select coalesce(sum(calls), 0)::bigint from pg_stat_user_functions
         where schemaname = 'notify' and funcname = any($1)
        """,
        list(WORKER_FUNCTIONS),
    )
    return calls


async def measure(system: System) -> FullBatch:
    """Send exactly one batch of 100 and count."""
    before = await count_calls(system) + await count_requests(system)
    enterprise = system.enterprises[0]
    rows = [{"notification_workflow_id": enterprise.static, "payload": sample_payload(number)} for number in range(100)]
    ids = await insert_notifications(system.database, enterprise.enterprise_id, rows)
    await wait_until_settled(system, ids)
    await _statistics_flushed(system, before)
    return FullBatch(await count_calls(system) + await count_requests(system) - before, ids)


async def _statistics_flushed(system: System, before: int) -> None:
    """PostgreSQL's sessions report their counts within a second of going idle: wait until they have."""
    previous = before
    for _ in range(10):
        await asyncio.sleep(1.0)
        now = await count_calls(system) + await count_requests(system)
        if now == previous and now > before:
            return
        previous = now
