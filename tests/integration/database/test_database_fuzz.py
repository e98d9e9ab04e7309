"""The fuzz of tests/e2e/test_fuzz.py, as far as the database and its readers go: every answer can be read, whatever the
tables hold, and each row is judged alone. Quick enough for many seeds: `XNOVU_FUZZ_SEEDS=1,2,3`.
"""

import json
import os
import random
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from shared.notification.outcomes import Failed
from shared.supabase.claimed_batch import read_claimed_batch
from shared.supabase.decoding import read_instant
from stack.sample_data import seed_enterprise
from tests.e2e import fuzz_rows as fuzz
from tests.e2e.fuzz_values import SOON, TEMPLATE_CODES
from tests.integration.database.project import Connection, Project, call
from worker.activities.preparation import find_refusal
from worker.scheduling.rule_decision import decide

SEEDS = [int(seed) for seed in os.environ.get("XNOVU_FUZZ_SEEDS", "1,2").split(",")]
ENTERPRISES = ["fuzz-a", "fuzz-b"]
ROWS, RULES = 150, 40
RENDERING = {*TEMPLATE_CODES, "novu_refused", "payload_too_large", "outcome_refused"}
"""Codes that are given only later on the road."""


@pytest.mark.parametrize("separate_project", ["fresh"], indirect=True)
@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_the_tables_hold_every_answer_can_be_read(separate_project: Project, seed: int) -> None:
    written = await _write(separate_project, random.Random(seed), seed)
    async with separate_project.connect() as connection:
        await _read_everything(connection, list(written.rows))
        judged = await _judge(connection)
        await _read_rules(connection, written)
        await _read_everything(connection, list(written.rows))
    assert len(set(judged.values())) > 4, "the fuzz is worth its name"
    due = {identity: row for identity, row in written.rows.items() if row.statuses & {"SENT", "FAILED"}}
    due = {identity: row for identity, row in due.items() if row.statuses != {"FAILED"} or row.codes}
    for identity, row in due.items():
        if identity not in judged and len(row.statuses) == 1 and not row.codes:
            continue  # one that was written as SENT
        if identity not in judged and row.columns.get("scheduled_for") == SOON:
            continue  # not due yet when it was looked for
        code = judged[identity]
        refused_here = row.codes and not row.codes & RENDERING and row.statuses == {"FAILED"}
        assert code is None or code in row.codes, (identity, code, row)
        assert code is not None or not refused_here, (identity, row)


async def _write(project: Project, rng: random.Random, seed: int) -> fuzz.Written:
    connection = await asyncpg.connect(project.url)
    try:
        await fuzz.make_strange(connection)
        written = await _write_all(connection, rng, seed)
        await written.flush(connection)
        return written
    finally:
        await connection.close()


async def _write_all(connection: Connection, rng: random.Random, seed: int) -> fuzz.Written:
    enterprises = [await seed_enterprise(connection, name) for name in ENTERPRISES]
    written = fuzz.Written(first_id=1_000_000)
    for number in range(ROWS):
        row = fuzz.random_row(rng, enterprises, f"row {number}", 2**63 - 1 - seed * 10_000 - number)
        if number % 10 == 0:
            row = fuzz.write_template(rng, written, enterprises[0], f"template {number}")
        elif number % 10 == 1:
            row = fuzz.write_workflow(rng, written, enterprises[1], f"workflow {number}")
        written.random[written.insert("ent_notification", row.columns)] = row
    for number in range(RULES):
        rule = {
            "name": f"'rule {number}'",
            "enterprise_id": "'fuzz-a'",
            "notification_workflow_id": str(enterprises[0].static),
            "trigger_type": "'CRON'",
            "publish_status": "'PUBLISH'",
        }
        fuzz.write_rule(rng, written, rule)
    return written


async def _judge(connection: Connection) -> dict[int, str | None]:
    """Claim all that is due as a worker does; by id, the code of the refusal, if any."""
    judged: dict[int, str | None] = {}
    for enterprise_id in ENTERPRISES:
        after = 0
        while pages := await call(
            connection, "due_notifications", p_enterprise_ids=[enterprise_id], p_page_size=50, p_after_id=after
        ):
            [page] = pages
            for portion in _portions(page["notification_ids"]):
                answer = await _claim(connection, enterprise_id, portion)
                batch = read_claimed_batch(answer)
                portion_left = list(batch.deferred)
                assert not portion_left or len(portion_left) < len(portion)
                judged |= _codes(batch.notifications, (*batch.unreadable, *batch.refused))
                while portion_left:
                    batch = read_claimed_batch(await _claim(connection, enterprise_id, portion_left))
                    judged |= _codes(batch.notifications, (*batch.unreadable, *batch.refused))
                    portion_left = list(batch.deferred)
            if not page["has_more"]:
                break
            after = page["notification_ids"][-1] or -1
    return judged


def _codes(notifications: Any, unreadable: Any) -> dict[int, str | None]:
    refusals = {row.id: find_refusal(row) for row in notifications}
    read = {identity: None if refusal is None else refusal.code.value for identity, refusal in refusals.items()}
    failed: list[Failed] = list(unreadable)
    return read | {each.notification_id: each.refusal.code.value for each in failed}


def _portions(ids: list[int]) -> list[list[int]]:
    return [ids[first : first + 25] for first in range(0, len(ids), 25)]


async def _claim(connection: Connection, enterprise_id: str, ids: list[int]) -> dict[str, Any]:
    text = await connection.fetchval("select notify.claim_batch($1, $2, 'owner', 60, true)::text", enterprise_id, ids)
    assert len(text) < 20 * 1024 * 1024
    answer: dict[str, Any] = json.loads(text)
    return answer


async def _read_rules(connection: Connection, written: fuzz.Written) -> None:
    answer = await call(connection, "read_cron_rules", p_enterprise_id="fuzz-a")
    now = read_instant(answer["now"])
    assert isinstance(now, datetime)
    for rule in answer["rules"]:
        fired_through = read_instant(rule["fired_through"])
        assert isinstance(fired_through, datetime)
        assert fired_through.year >= 1970
        error = rule["unreadable"] or decide(rule["trigger_config"], fired_through, now).error
        is_refused = written.rules.get(rule["id"])
        assert error is None or is_refused, (rule, error)


async def _read_everything(connection: Connection, ids: list[int]) -> None:
    """What health, operators and callers ask; the connection parses each answer as our client does."""
    await call(connection, "health_observation", p_enterprise_ids=ENTERPRISES, p_recent_seconds=60.0, p_failures=20)
    await call(connection, "unaccounted", p_enterprise_ids=ENTERPRISES, p_older_than_seconds=0)
    await call(connection, "retried_deliveries", p_enterprise_ids=ENTERPRISES)
    await call(connection, "due_scheduled", p_enterprise_id="fuzz-a", p_limit=10)
    await call(connection, "scheduler_passes", p_enterprise_ids=ENTERPRISES)
    await call(connection, "notifications_to_trigger", p_enterprise_ids=ENTERPRISES, p_notification_ids=ids)
    await call(connection, "retractions_to_cancel", p_enterprise_id="fuzz-a", p_notification_ids=ids)
    await call(connection, "replay_notifications", p_enterprise_id="fuzz-a", p_since=None, p_code=None, p_limit=9)
    await connection.fetchval("select notify.ended_notifications('-infinity', 0, null, 1000)")
    for identity in ids[::5]:
        shown = await call(connection, "trace_notification", p_notification_id=identity)
        for name in ("created_at", "updated_at", "processed_at", "scheduled_for", "deliver_before", "lease_expires_at"):
            read_instant(shown[name], name)
