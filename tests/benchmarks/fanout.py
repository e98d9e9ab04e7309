"""`make bench-fanout`: a row for a hundred thousand people whose worker is killed at 10 % and at 90 %, and a million
people in ten rows beside small enterprises' single rows; to the terminal and build/bench_fanout.json. Five minutes.

Every person has an address in `notify.recipient`. Novu heeds no Idempotency-Key, so after each death it is asked.
Arguments name some of the parts `killed`, `million`; without any, both. Exit code 1 where a figure misses its mark.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import linear_regression, quantiles
from typing import Any

import asyncpg

from stack.sample_data import insert_notifications, sample_payload
from tests.benchmarks.memory import peak_megabytes
from tests.benchmarks.processes import pid
from tests.benchmarks.sink import read_arrivals, read_transaction_ids
from tests.benchmarks.system import System, running_system
from tests.benchmarks.table import Line, show
from tests.benchmarks.waiting import wait_until, wait_until_settled

OUTPUT = Path("build/bench_fanout.json")
PARTS = ("killed", "million")
PEOPLE = int(os.environ.get("XNOVU_BENCH_FANOUT_PEOPLE", "100000"))
ROWS = int(os.environ.get("XNOVU_BENCH_FANOUT_ROWS", "10"))
CHUNK = 100
DIES_AT = (0.1, 0.9)
KILLED_PER_SECOND = 20
"""Events: what 100,000 people take 50 seconds for."""
MILLION_PER_SECOND = 100
BURST_SECONDS = 2.0
"""Of tokens that gather while nobody asks: what goes out at once when a worker begins."""
SMALL_ENTERPRISES = 20
SINGLES_PER_SECOND = 4.0
ALONE_SECONDS = 40.0
LASTS_SECONDS = 900.0
SETTINGS = {
    # What a death costs is Temporal's fifteen seconds, then this wait and this sweep.
    "NOVU_DOUBT_WAIT_SECONDS": "5",
    "SUBSCRIPTION_HEALTH_CHECK_INTERVAL": "5000",
}


async def killed(directory: Path) -> dict[str, float]:
    """One row; its worker is killed twice. The rate is that between the deaths, behind the burst of the beginning."""
    settings = {**SETTINGS, "NOVU_EVENTS_PER_SECOND": str(KILLED_PER_SECOND)}
    async with running_system(directory, ("campaign",), settings=settings) as system:
        await _prepare(system)
        at_rest = peak_megabytes(pid(system.worker))
        began = time.time()
        [notification_id] = await _insert(system, 1)
        chunks = PEOPLE // CHUNK
        progress: list[int] = []
        peaks: list[float] = []
        resumed_after: list[float] = []
        for share in DIES_AT:
            await _until_chunks(system, notification_id, int(share * chunks), progress)
            peaks.append(peak_megabytes(pid(system.worker)))
            await system.worker.kill()
            died_at, stood_at = time.perf_counter(), progress[-1]
            await system.start_worker()
            # Behind 90 % the last round may be the next that the row tells of, as SENT.
            await _until_chunks(system, notification_id, stood_at + 1, progress)
            resumed_after.append(time.perf_counter() - died_at)
        await wait_until_settled(system, [notification_id], within_seconds=LASTS_SECONDS)
        seconds = time.time() - began
        peaks.append(peak_megabytes(pid(system.worker)))
        got = await _messages_by_person(system)
        calls = await _accepted(system)
        [row] = await system.database.fetch(
            "select notification_status::text as status, attempts from notify.ent_notification where id = $1",
            notification_id,
        )
        return {
            "people": PEOPLE,
            "seconds": round(seconds, 1),
            "sent": float(row["status"] == "SENT"),
            "attempts": row["attempts"],
            "progress_seen": len(set(progress)),
            "resumed_after_s_10": round(resumed_after[0], 1),
            "resumed_after_s_90": round(resumed_after[1], 1),
            "missing": PEOPLE - len(got),
            "twice": sum(count > 1 for count in got.values()),
            "events_repeated": len(calls) - len({call["transaction_id"] for call in calls}),
            "rate_per_s": KILLED_PER_SECOND,
            "rate_off_percent": round(_rate_off(calls, KILLED_PER_SECOND), 2),
            "rss_mb_at_rest": round(at_rest, 1),
            "rss_mb": round(max(peaks), 1),
        }


async def million(directory: Path) -> dict[str, float]:
    """Ten rows of one enterprise at once, and others' single rows before and meanwhile."""
    names = ["campaign", *(f"small-{number:02}" for number in range(SMALL_ENTERPRISES))]
    settings = {**SETTINGS, "NOVU_EVENTS_PER_SECOND": str(MILLION_PER_SECOND)}
    async with running_system(directory, names, settings=settings) as system:
        await _prepare(system)
        # What its steps come to is not what is measured, and takes a processor from what is.
        await _set_sink(system, {"worker": {"paused": True}})
        alone = await _singles(system, until=time.monotonic() + ALONE_SECONDS)
        began = time.time()
        ids = await _insert(system, ROWS)
        sending = asyncio.create_task(_until_settled(system, ids))
        beside = await _singles(system, until=None, beside=sending)
        await sending
        seconds = time.time() - began
        peak = peak_megabytes(pid(system.worker))
        calls = [call for call in await _accepted(system) if call["received_at_ns"] / 1e9 >= began]
        got = Counter(call["transaction_id"] for call in calls)
        sent = await system.database.fetchval(
            "select count(*) from notify.ent_notification where id = any($1) and notification_status = 'SENT'", ids
        )
        p95_alone, p95_beside = _percentiles(alone)[94], _percentiles(beside)[94]
        return {
            "million_people": PEOPLE * ROWS,
            "million_seconds": round(seconds, 1),
            "million_unsent_rows": ROWS - sent,
            "million_events_missing": ROWS * PEOPLE // CHUNK + len(beside) - len(got),
            "million_events_twice": sum(count > 1 for count in got.values()),
            "million_events_per_s": round(len(calls) / seconds, 1),
            "million_rss_mb": round(peak, 1),
            "singles": len(beside),
            "singles_alone_p50_ms": round(_percentiles(alone)[49], 1),
            "singles_alone_p95_ms": round(p95_alone, 1),
            "singles_beside_p50_ms": round(_percentiles(beside)[49], 1),
            "singles_beside_p95_ms": round(p95_beside, 1),
            "singles_ratio_p50": round(_percentiles(beside)[49] / _percentiles(alone)[49], 2),
            "singles_ratio_p95": round(p95_beside / p95_alone, 2),
        }


LINES = (
    Line("people"),
    Line("seconds"),
    Line("sent", 1, at_least=True),
    Line("attempts"),
    Line("progress_seen", 8, at_least=True),
    Line("resumed_after_s_10"),
    Line("resumed_after_s_90"),
    Line("missing", 0),
    Line("twice", 0),
    Line("events_repeated"),
    Line("rate_per_s"),
    Line("rate_off_percent", 2),
    Line("rss_mb_at_rest"),
    Line("rss_mb", 256),
    Line("million_people"),
    Line("million_seconds"),
    Line("million_unsent_rows", 0),
    Line("million_events_missing", 0),
    Line("million_events_twice", 0),
    Line("million_events_per_s"),
    Line("million_rss_mb", 256),
    Line("singles"),
    Line("singles_alone_p50_ms"),
    Line("singles_alone_p95_ms"),
    Line("singles_beside_p50_ms"),
    Line("singles_beside_p95_ms"),
    Line("singles_ratio_p50", 2),
    Line("singles_ratio_p95", 2),
)


async def _prepare(system: System) -> None:
    """A workflow at Novu with one step, everybody's address, and one row of each enterprise sent: all of it runs."""
    campaign = system.enterprises[0]
    key = await system.database.fetchval(
        "select workflow_key from notify.ent_notification_workflow where id = $1", campaign.static
    )
    step = {"name": "App", "type": "in_app", "stepId": "app", "controlValues": {"body": "Hello"}}
    response = await system.http.post(
        f"{system.stack.novu_sink.url}/v2/workflows",
        json={"name": key, "workflowId": key, "steps": [step]},
        headers={"Authorization": f"ApiKey {system.environment['NOVU_SECRET_KEY']}"},
    )
    response.raise_for_status()
    await system.database.execute(
        "insert into notify.recipient (enterprise_id, subscriber_id, email, first_name, last_name)"
        " select $1, 'person-' || n, 'person-' || n || '@example.org', 'Ada', 'Lovelace'"
        " from generate_series(1, $2::int) as n",
        *(campaign.enterprise_id, PEOPLE),
    )
    await system.database.execute("analyze notify.recipient")
    ids = []
    for enterprise in system.enterprises:
        row = {"notification_workflow_id": enterprise.dynamic, "payload": sample_payload(1), "channels": ["IN_APP"]}
        ids += await insert_notifications(system.database, enterprise.enterprise_id, [row])
    await wait_until_settled(system, ids)


async def _insert(system: System, rows: int) -> list[int]:
    campaign = system.enterprises[0]
    records = await system.database.fetch(
        "insert into notify.ent_notification"
        " (name, enterprise_id, publish_status, recipients, channels, payload, notification_workflow_id)"
        " select 'campaign ' || row, $1, 'PUBLISH', people.ids, '{IN_APP}', '{}', $2"
        " from generate_series(1, $3::int) as row,"
        " (select array_agg('person-' || n order by n) as ids from generate_series(1, $4::int) as n) as people"
        " returning id",
        *(campaign.enterprise_id, campaign.static, rows, PEOPLE),
    )
    return [record["id"] for record in records]


async def _until_chunks(system: System, notification_id: int, chunks: int, progress: list[int]) -> None:
    """Return once the row says that so many are sent, or all; `progress` gets what it says meanwhile."""

    async def are_sent() -> bool:
        [row] = await system.database.fetch(
            "select chunks_sent, notification_status = 'SENT' as is_sent from notify.ent_notification where id = $1",
            notification_id,
        )
        progress.append(row["chunks_sent"])
        return bool(row["is_sent"]) or progress[-1] >= chunks

    await wait_until(are_sent, within_seconds=LASTS_SECONDS)


async def _singles(system: System, *, until: float | None, beside: asyncio.Task[None] | None = None) -> list[float]:
    """Milliseconds from commit to Novu's request, of single rows of small enterprises by turns."""
    committed_at: dict[int, float] = {}
    began = time.monotonic()
    number = 0
    while (until is None or time.monotonic() < until) and (beside is None or not beside.done()):
        enterprise = system.enterprises[1 + number % SMALL_ENTERPRISES]
        row = {"notification_workflow_id": enterprise.dynamic, "payload": sample_payload(number), "channels": ["EMAIL"]}
        [notification_id] = await insert_notifications(system.database, enterprise.enterprise_id, [row])
        committed_at[notification_id] = time.time()
        number += 1
        await asyncio.sleep(max(0.0, began + number / SINGLES_PER_SECOND - time.monotonic()))
    await _until_ended(system.database, list(committed_at))
    arrivals, keys = await read_arrivals(system), await read_transaction_ids(system, list(committed_at))
    return [(arrivals[keys[each]] - committed) * 1000 for each, committed in committed_at.items()]


async def _until_settled(system: System, ids: list[int]) -> None:
    """By a connection of its own: the other one writes single rows meanwhile."""
    database = await asyncpg.connect(system.environment["XNOVU_STACK_POSTGRES_URL"])
    try:
        await _until_ended(database, ids)
    finally:
        await database.close()


async def _until_ended(database: Any, ids: list[int]) -> None:
    """As `wait_until_settled`, of these alone: others' rows lie between them."""

    async def have_ended() -> bool:
        open_rows: int = await database.fetchval(
            "select count(*) from notify.ent_notification"
            " where id = any($1) and notification_status in ('PENDING', 'PROCESSING')",
            ids,
        )
        return open_rows == 0

    await wait_until(have_ended, poll_seconds=0.2, within_seconds=LASTS_SECONDS)


async def _set_sink(system: System, changes: Mapping[str, Any]) -> None:
    (await system.http.patch(f"{system.stack.novu_sink.url}/_sink/settings", json=changes)).raise_for_status()


async def _accepted(system: System) -> list[dict[str, Any]]:
    """Calls that Novu accepted, in their order."""
    response = await system.http.get(f"{system.stack.novu_sink.url}/_sink/calls", timeout=300)
    response.raise_for_status()
    return [call for call in response.json()["calls"] if call["status"] == "processed"]


async def _messages_by_person(system: System) -> Counter[str]:
    """What Novu's worker made of the campaign, by person, once it has nothing left to do."""
    while True:
        response = await system.http.get(f"{system.stack.novu_sink.url}/_sink/truth", timeout=600)
        response.raise_for_status()
        truth = response.json()
        if not truth["waiting"]:
            break
        await asyncio.sleep(1)
    got: Counter[str] = Counter()
    for one in truth["people"]:
        if one["subscriber"].startswith("person-"):
            got[one["subscriber"]] += one.get("sent", 0)
    return +got


def _rate_off(calls: list[dict[str, Any]], per_second: float) -> float:
    """Percent by which the longest run without a death is faster or slower than asked: from the end of its burst on."""
    at = sorted(call["received_at_ns"] / 1e9 for call in calls)
    runs: list[list[float]] = [[]]
    for earlier, later in zip([at[0], *at], at, strict=False):
        if later - earlier > 3.0:
            runs.append([])
        runs[-1].append(later)
    longest = max(runs, key=len)
    steady = longest[int(per_second * BURST_SECONDS) + 1 :]
    # Of the straight line through all of them: a pause at either end, after which tokens have gathered, says nothing.
    rate = linear_regression(steady, range(len(steady))).slope
    return abs(rate / per_second - 1) * 100


def _percentiles(latencies: list[float]) -> list[float]:
    return quantiles(latencies, n=100, method="inclusive")


async def run(parts: Collection[str]) -> dict[str, float]:
    """Each part on a system of its own."""
    figures: dict[str, float] = {}
    for name, measure in (("killed", killed), ("million", million)):
        if name in parts:
            with tempfile.TemporaryDirectory(prefix="xnovu-bench-") as directory:
                figures |= await measure(Path(directory))
    return figures


def main() -> None:
    """Measure, print, write."""
    parts = sys.argv[1:] or PARTS
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    figures = asyncio.run(run(parts))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    lines = [line for line in LINES if line.name in figures]
    if not show("Fan-out: two cores, every server on the same machine", figures, lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
