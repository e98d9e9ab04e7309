"""A burst: thousands of rows in one transaction, until the last one has its final status."""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import count_deliveries, let_novu_catch_up, read_transaction_ids
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until_settled

ROWS = 5_000
BURSTS = 5
"""One alone may be half as fast as the next, on a machine that holds every server."""


@dataclass(frozen=True)
class Burst:
    """Rows per second from the commit to the last status; rows that did not end as SENT, or were delivered twice."""

    rows: int
    rows_per_second: float
    lost: int
    duplicates: int
    wrong_status: int


async def measure_several(system: System, rows: int = ROWS) -> Burst:
    """One after the other: the rate is their median, the counts are those of all."""
    several = [await measure(system, rows) for _ in range(BURSTS)]
    return Burst(
        rows=sum(each.rows for each in several),
        rows_per_second=statistics.median(each.rows_per_second for each in several),
        lost=sum(each.lost for each in several),
        duplicates=sum(each.duplicates for each in several),
        wrong_status=sum(each.wrong_status for each in several),
    )


async def measure(system: System, rows: int = ROWS) -> Burst:
    """Half of the rows are STATIC, half are DYNAMIC with an email to render; a third for each enterprise."""
    await let_novu_catch_up(system)
    ids: list[int] = []
    async with system.database.transaction():
        for index, enterprise in enumerate(system.enterprises):
            share = rows // len(system.enterprises) + (index < rows % len(system.enterprises))
            batch = [
                {
                    "notification_workflow_id": enterprise.dynamic if number % 2 else enterprise.static,
                    "payload": sample_payload(number),
                    "channels": ["EMAIL"],
                }
                for number in range(share)
            ]
            ids += await insert_notifications(system.database, enterprise.enterprise_id, batch)
    started = time.perf_counter()
    with suppress(TimeoutError):  # what is not settled by then is counted below
        await wait_until_settled(system, ids)
    seconds = time.perf_counter() - started
    transaction_ids = set((await read_transaction_ids(system, ids)).values())
    deliveries = await count_deliveries(system, transaction_ids)
    wrong = await system.database.fetchval(
        "select count(*) from notify.ent_notification where id = any($1) and notification_status <> 'SENT'", ids
    )
    return Burst(
        rows=len(ids),
        rows_per_second=len(ids) / seconds,
        lost=sum(deliveries.get(key, 0) == 0 for key in transaction_ids),
        duplicates=sum(max(0, count - 1) for count in deliveries.values()),
        wrong_status=wrong,
    )
