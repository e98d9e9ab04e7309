"""A thousand enterprises with a row each, alone and beside one that commits fifty thousand at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import read_arrivals, read_transaction_ids
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until, wait_until_settled

FLOOD_ROWS = 50_000
OTHERS_SECONDS = 20.0
"""Over which the others' commits are spread."""

FLOOD_LASTS_SECONDS = 300.0


@dataclass(frozen=True)
class Fairness:
    """The others' times from commit to Novu's request; `jain` is the index of how much of what they asked for they had
    within twice their p95 alone: 1 if all had the same.
    """

    alone_p95_ms: float
    beside_p95_ms: float
    jain: float
    flood_rows_per_second: float


async def measure(system: System, alone: Sequence[float], flood_rows: int = FLOOD_ROWS) -> Fairness:
    """The first enterprise floods. `alone`: the others' `latencies` at rest."""
    flooding = system.enterprises[0]
    row = {"notification_workflow_id": flooding.static, "payload": sample_payload(1), "channels": ["EMAIL"]}
    flood: list[int] = []
    async with system.database.transaction():
        for begun in range(0, flood_rows, 5_000):
            rows = [row] * min(5_000, flood_rows - begun)
            flood += await insert_notifications(system.database, flooding.enterprise_id, rows)
    began = time.perf_counter()
    beside = await latencies(system)
    await wait_until_settled(system, flood, within_seconds=FLOOD_LASTS_SECONDS)
    seconds = time.perf_counter() - began
    in_time = 2 * _p95(alone)
    return Fairness(
        _p95(alone), _p95(beside), jain([min(1.0, in_time / each) for each in beside]), len(flood) / seconds
    )


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: from 1/n, one has all, to 1, all have the same."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def latencies(system: System) -> list[float]:
    """Of each but the first enterprise a row, spread over `OTHERS_SECONDS`: milliseconds from its commit to Novu's
    request.
    """
    committed_at: dict[int, float] = {}
    began = time.perf_counter()
    others = system.enterprises[1:]
    for number, enterprise in enumerate(others):
        row = {"notification_workflow_id": enterprise.static, "payload": sample_payload(number), "channels": ["EMAIL"]}
        (notification_id,) = await insert_notifications(system.database, enterprise.enterprise_id, [row])
        committed_at[notification_id] = time.time()
        due = began + OTHERS_SECONDS * (number + 1) / len(others)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    ids = list(committed_at)
    keys = await _settled_keys(system, ids)
    arrivals = await read_arrivals(system)
    return [(arrivals[keys[each]] - committed) * 1000 for each, committed in committed_at.items()]


async def _settled_keys(system: System, ids: Sequence[int]) -> dict[int, str]:
    async def are_settled() -> bool:
        open_rows: int = await system.database.fetchval(
            "select count(*) from notify.ent_notification where id = any($1) and notification_status <> 'SENT'", ids
        )
        return open_rows == 0

    await wait_until(are_settled, within_seconds=FLOOD_LASTS_SECONDS)
    return await read_transaction_ids(system, ids)


def _p95(latencies: Sequence[float]) -> float:
    return quantiles(latencies, n=100, method="inclusive")[94]
