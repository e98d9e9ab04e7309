"""`make bench-rate`: two workers at the free plan's rate, one enterprise sending 5,000 again and again, others now and
then one; to the terminal and to build/bench_rate.json. Ten minutes, or as many as are given.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import ChildProcess
from stack.sample_data import SampleEnterprise, insert_notifications, sample_payload, seed_enterprise
from tests.benchmarks.table import Line, show
from tests.benchmarks.waiting import wait_until

LINES = (
    Line("minutes"),
    Line("events"),
    Line("events_per_s", 60),
    Line("refused_for_the_rate", 0),
    Line("other_refusals", 0),
    Line("singles"),
    Line("single_p50_s"),
    Line("single_p95_s"),
    Line("single_max_s", 2),
    Line("single_claimed_p95_s"),
    Line("single_attempts_max"),
    Line("attempts_per_row"),
)
OUTPUT = Path("build/bench_rate.json")
MINUTES = 10.0
FLOOD_ROWS = 5_000
SMALL_ENTERPRISES = 5
SECONDS_BETWEEN_SINGLES = (1.0, 9.0)
WORKERS = 2


async def measure(minutes: float) -> dict[str, float]:
    """Refusals, the rate that came about, and how late singles were while the flood went out."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xnovu-rate-")))
        directory.chmod(0o711)  # noqa: ASYNC240
        local = await stack.enter_async_context(LocalStack(directory, novu_settings={**FORGIVING_NOVU, "plan": "free"}))
        database = await asyncpg.connect(local.environment["XNOVU_STACK_POSTGRES_URL"])
        stack.push_async_callback(database.close)
        names = ["flood", *(f"small{number}" for number in range(SMALL_ENTERPRISES))]
        flood, *small = [await seed_enterprise(database, name) for name in names]
        environment = {**local.environment, "DAEMON_ENTERPRISE_IDS": ",".join(names), "NOVU_PLAN": "free"}
        for name in ["listener", *["worker"] * WORKERS]:
            process = ChildProcess(name, directory / f"{name}-{random.random()}.log")
            stack.push_async_callback(process.stop, within_seconds=15)
            await process.start([sys.executable, "-m", name], environment)
        await _wait_until_served(database, [flood, *small])
        until = time.monotonic() + minutes * 60
        began = time.time()
        tasks = [asyncio.create_task(_keep_flooding(local, flood, until))]
        tasks += [asyncio.create_task(_send_singles(local, enterprise, until)) for enterprise in small]
        sent = await asyncio.gather(*tasks)
        return await _figures(local, began, [single for singles in sent[1:] for single in singles])


async def _wait_until_served(database: Any, enterprises: list[SampleEnterprise]) -> None:
    """One row of each has been sent: every process runs, and what is late from here on is not their start."""
    for enterprise in enterprises:
        row = {"notification_workflow_id": enterprise.dynamic, "payload": sample_payload(1), "channels": ["EMAIL"]}
        await insert_notifications(database, enterprise.enterprise_id, [row])

    async def are_sent() -> bool:
        return not await _open_rows(database)

    await wait_until(are_sent, poll_seconds=0.2, within_seconds=60)


async def _keep_flooding(local: LocalStack, enterprise: SampleEnterprise, until: float) -> list[Any]:
    """5,000 rows whenever those before are about to be through."""
    database = await asyncpg.connect(local.environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        while time.monotonic() < until:
            rows = [
                {
                    "notification_workflow_id": enterprise.dynamic if number % 2 else enterprise.static,
                    "payload": sample_payload(number),
                    "channels": ["EMAIL"],
                }
                for number in range(FLOOD_ROWS)
            ]
            await insert_notifications(database, enterprise.enterprise_id, rows)
            while await _open_rows(database) > FLOOD_ROWS / 10 and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(1)
        return []
    finally:
        await database.close()


async def _send_singles(local: LocalStack, enterprise: SampleEnterprise, until: float) -> list[tuple[int, float]]:
    """Ids and the instants of their commits."""
    database = await asyncpg.connect(local.environment["XNOVU_STACK_POSTGRES_URL"])
    sent = []
    try:
        while time.monotonic() < until:
            await asyncio.sleep(random.uniform(*SECONDS_BETWEEN_SINGLES))
            row = {"notification_workflow_id": enterprise.dynamic, "payload": sample_payload(1), "channels": ["EMAIL"]}
            [notification_id] = await insert_notifications(database, enterprise.enterprise_id, [row])
            sent.append((notification_id, time.time()))
        await asyncio.sleep(5)
        return sent
    finally:
        await database.close()


async def _open_rows(database: Any) -> int:
    count: int = await database.fetchval(
        "select count(*) from notify.ent_notification where notification_status in ('PENDING', 'PROCESSING')"
    )
    return count


async def _figures(local: LocalStack, began: float, singles: list[tuple[int, float]]) -> dict[str, float]:
    database = await asyncpg.connect(local.environment["XNOVU_STACK_POSTGRES_URL"])
    async with httpx.AsyncClient(timeout=120, base_url=local.novu_sink.url) as http:
        requests = (await http.get("/_sink/requests")).json()["requests"]
        calls = (await http.get("/_sink/calls")).json()["calls"]
    rows = await database.fetch(
        "select id, 'xnovu.' || delivery_key as base, extract(epoch from processed_at)::float8 as claimed_at, attempts"
        " from notify.ent_notification"
    )
    attempts = await database.fetchval("select avg(attempts) from notify.ent_notification")
    await database.close()
    calls = [call for call in calls if call["received_at_ns"] / 1e9 >= began]
    base = {row["id"]: row["base"] for row in rows}
    arrived: dict[str, float] = {}
    for call in calls:
        arrived.setdefault(call["transaction_id"], call["received_at_ns"] / 1e9)
    late = sorted(arrived.get(base[key], float("inf")) - committed for key, committed in singles)
    claimed = {row["id"]: row["claimed_at"] for row in rows}
    claim_late = sorted((claimed[key] or float("inf")) - committed for key, committed in singles)
    answers = Counter(request["answer"] for request in requests)
    seconds = max(arrived.values()) - began
    return {
        "minutes": round(seconds / 60, 2),
        "events": len(calls),
        "events_per_s": round(len(calls) / seconds, 2),
        "refused_for_the_rate": answers[429],
        "other_refusals": sum(count for answer, count in answers.items() if answer not in (201, 429)),
        "singles": len(late),
        "single_p50_s": round(statistics.median(late), 3),
        "single_p95_s": round(late[int(len(late) * 0.95)], 3),
        "single_max_s": round(late[-1], 3),
        "single_claimed_p95_s": round(claim_late[int(len(late) * 0.95)], 3),
        "single_attempts_max": max(row["attempts"] for row in rows if row["id"] in dict(singles)),
        "attempts_per_row": round(float(attempts), 2),
    }


if __name__ == "__main__":
    figures = asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    show("at the free plan's rate", figures, LINES)
