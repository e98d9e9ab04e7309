"""A thousand rows, rules, templates and workflows as anybody may write them, among a thousand good rows of five
enterprises: each harms nobody but itself. `make fuzz SEED=n` runs any other seed, or several: `SEED=1,2,3`.
"""

import asyncio
import logging
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from stack.local import FORGIVING_NOVU, LocalStack
from stack.processes import free_port
from stack.sample_data import SampleEnterprise
from tests.e2e import fuzz_rows as fuzz
from tests.e2e import rules
from tests.e2e.fuzz_values import any_text, quoted
from tests.e2e.logs import events
from tests.e2e.program import Program
from tests.e2e.rows import transaction_bases
from tests.e2e.system import SHORT_TIMES, System, eventually

ENTERPRISES = ("fuzz-a", "FUZZ-A", "..", "-_-", "z" * 64)
GOOD_ROWS, RANDOM_ROWS, RULES, TEMPLATES, WORKFLOWS = 1_000, 700, 100, 100, 100
SEEDS = [int(seed) for seed in os.environ.get("XNOVU_FUZZ_SEEDS", "1,2,3").split(",")]
ROWS_IN_A_TRANSACTION = 100
STUCK_AFTER_SECONDS = 60.0
NOTHING_SETTLED_FOR_SECONDS = 150.0
SETTLED_WITHIN_SECONDS = 300.0
MOST_MEMORY_BYTES = 256 * 1024 * 1024

log = logging.getLogger("fuzz")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.asyncio(loop_scope="module")]


class Bench:
    """A running daemon and its stack."""

    def __init__(self, system: System, program: Program, port: int) -> None:
        self.system = system
        self.program = program
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10)

    async def health(self) -> str:
        return str((await self._http.get("/health")).json()["status"])

    async def is_ready(self) -> bool:
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def peak_memory_bytes(self) -> dict[int, int]:
        """Of the daemon and its children."""
        return {process.pid: _peak_memory_bytes(process.pid) for process in self.program.family()}

    async def aclose(self) -> None:
        await self._http.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    directory = tmp_path_factory.mktemp("fuzz")
    port = free_port()
    async with LocalStack(directory, novu_settings=FORGIVING_NOVU) as stack:
        system = System(stack, directory, SHORT_TIMES, ENTERPRISES)
        await system.seed()
        connection = await system.connect()
        await fuzz.make_strange(connection)
        await connection.close()
        with Program("daemon", directory, {**system.environment, "DAEMON_HEALTH_PORT": str(port)}) as program:
            running = Bench(system, program, port)
            await eventually(running.is_ready, what="the daemon is ready")
            yield running
            await running.aclose()
        await system.stop()


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_anybody_may_write_harms_nobody_but_itself(bench: Bench, seed: int) -> None:
    began = time.monotonic()
    written = await _write(bench.system, random.Random(seed), seed)
    written_at = time.monotonic()

    await _settle(bench, written)

    rows = await _read(bench.system, written.rows)
    wrong = {
        identity: (rows[identity], sorted(row.statuses), sorted(row.codes), row.columns)
        for identity, row in written.rows.items()
        if not _is_as_it_must_be(row, rows[identity])
    }
    assert not wrong, f"seed {seed}: {len(wrong)} rows, such as {dict(list(wrong.items())[:3])}"
    ends = Counter(rows[identity] for identity in written.random)
    assert sum(count for (status, _), count in ends.items() if status == "FAILED") > 200, "the fuzz is worth its name"
    seconds = f"written in {written_at - began:.0f} s, settled {time.monotonic() - written_at:.0f} s later"
    log.info("seed %s, %s: %s", seed, seconds, dict(ends))
    assert len({code for status, code in ends if status == "FAILED"}) > 7, ends
    deliveries = await bench.system.deliveries()
    for identity, base in (await transaction_bases(bench.system, list(written.good))).items():
        assert deliveries[base] == 1, f"seed {seed}: good row {identity} was delivered {deliveries[base]} times"
    assert not [name for name, count in deliveries.items() if count > 1]
    for rule_id, firings in (await rules.fired(bench.system, written.firing_rules)).items():
        assert firings, f"seed {seed}: the good rule {rule_id} did not fire"
    bench.program.require_running()
    assert not events(bench.program.log_file, "delivery_stumbled")
    assert max(bench.peak_memory_bytes().values()) < MOST_MEMORY_BYTES, bench.peak_memory_bytes()
    await _execute(bench.system, "delete from notify.ent_notification_rule")


async def _write(system: System, rng: random.Random, seed: int) -> fuzz.Written:
    """All of it, in random order, in transactions of a hundred."""
    written = fuzz.Written(first_id=1_000_000 + seed * 100_000)
    connection = await system.connect()
    try:
        for enterprise in system.enterprises:
            [firing] = await rules.insert(system, enterprise, rules.EVERY_SECOND)
            written.firing_rules.append(firing)
        works = (
            ["good"] * GOOD_ROWS
            + ["row"] * RANDOM_ROWS
            + ["rule"] * RULES
            + ["template"] * TEMPLATES
            + ["workflow"] * WORKFLOWS
        )
        rng.shuffle(works)
        for number, work in enumerate(works, start=1):
            enterprise = system.enterprises[number % len(system.enterprises)]
            _write_one(rng, written, system.enterprises, enterprise, work, seed, number)
            if number % ROWS_IN_A_TRANSACTION == 0:
                await written.flush(connection)
        await written.flush(connection)
    finally:
        await connection.close()
    return written


def _write_one(
    rng: random.Random,
    written: fuzz.Written,
    enterprises: list[SampleEnterprise],
    enterprise: SampleEnterprise,
    work: str,
    seed: int,
    number: int,
) -> None:
    name = f"{work} {seed} {number}"
    match work:
        case "rule":
            rule = {
                "name": quoted(name),
                "enterprise_id": quoted(enterprise.enterprise_id),
                "notification_workflow_id": str(enterprise.static),
                "trigger_type": rng.choice(["'CRON'", "'cron'"]),
                "publish_status": "'PUBLISH'",
                "description": quoted(any_text(rng)),
            }
            fuzz.write_rule(rng, written, rule)
            return
        case "good":
            row = fuzz.good_row(enterprise, seed * 10_000 + number)
        case "row":
            row = fuzz.random_row(rng, enterprises, name, 2**63 - 1 - seed * 10_000 - number)
        case "template":
            row = fuzz.write_template(rng, written, enterprise, name)
        case _:
            row = fuzz.write_workflow(rng, written, enterprise, name)
    identity = written.insert("ent_notification", row.columns)
    (written.good if work == "good" else written.random)[identity] = row


async def _settle(bench: Bench, written: fuzz.Written) -> None:
    """Wait until each row and rule is as it must be, or cannot become so; all the while health does not lie."""
    began = changed_at = time.monotonic()
    before: tuple[list[int], list[int]] = ([], [])
    while True:
        open_rows, open_rules = still_open = await _open(bench.system, written)
        if not open_rows and not open_rules:
            return
        now = time.monotonic()
        if still_open != before:
            before, changed_at = still_open, now
        health = await bench.health()
        counts = f"{len(open_rows)} rows, {len(open_rules)} rules after {now - began:.0f} s"
        what = f"{counts}: {open_rows[:5]} {open_rules[:5]}"
        example = {identity: written.rows[identity].columns for identity in open_rows[:2]}
        assert now - changed_at < STUCK_AFTER_SECONDS or health != "healthy", f"healthy, while stuck: {what} {example}"
        assert now - changed_at < NOTHING_SETTLED_FOR_SECONDS, f"nothing is settled any more: {what} {example}"
        assert now - began < SETTLED_WITHIN_SECONDS, f"not settled: {what} {example}"
        bench.program.require_running()
        await asyncio.sleep(1)


async def _open(system: System, written: fuzz.Written) -> tuple[list[int], list[int]]:
    final = [identity for identity, row in written.rows.items() if row.statuses <= {"SENT", "FAILED"}]
    connection = await system.connect()
    try:
        open_rows = await connection.fetch(
            "select id from notify.ent_notification"
            " where id = any($1) and notification_status not in ('SENT', 'FAILED')",
            final,
        )
        open_rules = await connection.fetch(
            "select id from notify.ent_notification_rule where id = any($1) and (schedule_error is not null) <> $2"
            " union all select id from notify.ent_notification_rule where id = any($3) and (schedule_error is null)",
            [rule_id for rule_id, refused in written.rules.items() if not refused],
            False,
            [rule_id for rule_id, refused in written.rules.items() if refused],
        )
        return [row["id"] for row in open_rows], [row["id"] for row in open_rules]
    finally:
        await connection.close()


async def _read(system: System, identities: Sequence[int] | dict[int, fuzz.Row]) -> dict[int, tuple[str, str | None]]:
    """Status and code of each."""
    connection = await system.connect()
    try:
        found = await connection.fetch(
            "select id, notification_status::text as status, left(error_details ->> 'code', 100) as code"
            " from notify.ent_notification where id = any($1)",
            list(identities),
        )
        return {row["id"]: (row["status"], row["code"]) for row in found}
    finally:
        await connection.close()


def _is_as_it_must_be(row: fuzz.Row, found: tuple[str, str | None]) -> bool:
    status, code = found
    return status in row.statuses and (status != "FAILED" or not row.codes or code in row.codes)


async def _execute(system: System, statement: str) -> None:
    connection = await system.connect()
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _peak_memory_bytes(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    except OSError:  # a child that has just ended
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024 if peaks else 0
