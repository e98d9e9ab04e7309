"""Latency of a single row, from its commit to Novu's request, one at a time."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.sink import read_arrivals, read_transaction_ids
from tests.benchmarks.system import System
from tests.benchmarks.waiting import wait_until_settled

SAMPLES = 200
LONGEST_PAUSE_SECONDS = 0.5
"""Random pauses as long as the feed's idle interval, so that commits fall anywhere within it."""


@dataclass(frozen=True)
class SingleRow:
    """Percentiles in milliseconds, and the ids measured."""

    p50_ms: float
    p95_ms: float
    notification_ids: Sequence[int]


async def measure(system: System, samples: int = SAMPLES) -> SingleRow:
    """Insert rows one at a time, each after the one before has settled."""
    committed_at: dict[int, float] = {}
    ids = []
    for number in range(samples):
        enterprise = system.enterprises[number % len(system.enterprises)]
        row = {
            "notification_workflow_id": enterprise.dynamic if number % 2 else enterprise.static,
            "payload": sample_payload(number),
            "channels": ["EMAIL"],
        }
        (notification_id,) = await insert_notifications(system.database, enterprise.enterprise_id, [row])
        committed_at[notification_id] = time.time()
        ids.append(notification_id)
        await wait_until_settled(system, [notification_id], poll_seconds=0.005)
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
    arrivals = await read_arrivals(system)
    keys = await read_transaction_ids(system, ids)
    latencies = [(arrivals[keys[each]] - committed) * 1000 for each, committed in committed_at.items()]
    percentiles = quantiles(latencies, n=100, method="inclusive")
    return SingleRow(percentiles[49], percentiles[94], ids)
