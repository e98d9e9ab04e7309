"""The functions keep to their indexes on a table of twenty thousand rows, whatever statistics it has."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stack.postgres import SUPERUSER
from tests.integration.database.project import OURS, RECIPIENT, THEIRS, Connection, Project, claim

ROWS = 20_000
ENTERPRISES = [OURS, THEIRS, *(f"00000000-0000-4000-8000-{number:012}" for number in range(3, 11))]

SENT = {"notification_status": "'SENT'"}
SCHEDULED_LATER = {"scheduled_for": "now() + interval '1 day'"}
RETRACTED_BEFORE = {"notification_status": "'RETRACTED'", "transaction_id": "'t'", "cancellation": "'{}'"}
HELD = {"notification_status": "'PROCESSING'", "lease_expires_at": "now() + interval '1 day'"}
DUE = {"scheduled_for": "case when i % 3 = 0 then now() end"}

DUE_STATEMENT = "select notify.due_notifications($1, 1000)"
DUE_INDEXES = {
    "ent_notification_pending_unscheduled",
    "ent_notification_pending_scheduled",
    "ent_notification_leases",
    "ent_notification_uncancelled",
    "ent_notification_urgent",
}

pytestmark = pytest.mark.parametrize(
    "plan_cache_mode", ["force_custom_plan", pytest.param("force_generic_plan", marks=pytest.mark.whole)]
)


@pytest.fixture
async def administrator(separate_project: Project, plan_cache_mode: str) -> AsyncIterator[Connection]:
    """A superuser's connection, which may log plans; statistics are only what a test makes of them."""
    if separate_project.shape == "partitioned":
        pytest.skip("partitions have indexes of other names: make bench-partitioned")
    async with separate_project.connect(SUPERUSER) as connection:
        await connection.execute("alter table notify.ent_notification set (autovacuum_enabled = false)")
        await connection.execute(f"load 'auto_explain'; set plan_cache_mode = {plan_cache_mode}")
        yield connection


async def test_when_nothing_is_due_each_enterprise_costs_a_probe_of_each_index(
    separate_project: Project, administrator: Connection
) -> None:
    for columns in (SENT, SCHEDULED_LATER, HELD, RETRACTED_BEFORE):
        await _fill(separate_project, administrator, columns)
    await administrator.execute("vacuum analyze notify.ent_notification")

    plan = await _plan_of(administrator, DUE_STATEMENT, ENTERPRISES)
    pages_read = await _pages_read(administrator, DUE_STATEMENT, ENTERPRISES)

    assert _scans(plan) == DUE_INDEXES
    # Seven for each enterprise, and what planning reads of the catalogue; the table itself has thousands.
    assert pages_read <= 24 * len(ENTERPRISES)


async def test_statistics_from_the_middle_of_a_burst_do_not_lead_to_reading_the_table(
    separate_project: Project, administrator: Connection
) -> None:
    await _fill(separate_project, administrator, DUE)
    await administrator.execute("analyze notify.ent_notification")
    await administrator.execute("update notify.ent_notification set notification_status = 'SENT'")

    plan = await _plan_of(administrator, DUE_STATEMENT, ENTERPRISES)

    assert _scans(plan) == DUE_INDEXES


async def test_a_backlog_is_read_through_the_indexes(separate_project: Project, administrator: Connection) -> None:
    await _fill(separate_project, administrator, SENT)
    await _fill(separate_project, administrator, DUE)
    await administrator.execute("analyze notify.ent_notification")

    plan = await _plan_of(administrator, DUE_STATEMENT, ENTERPRISES)

    assert _scans(plan) == DUE_INDEXES


async def test_the_other_looks_of_a_sweep_and_of_the_schedulers_are_probes_too(
    separate_project: Project, administrator: Connection
) -> None:
    for columns in (SENT, SCHEDULED_LATER, HELD, RETRACTED_BEFORE):
        await _fill(separate_project, administrator, columns)
    await administrator.execute("vacuum analyze notify.ent_notification")

    scheduled = await _plan_of(administrator, "select notify.due_scheduled($1, 10000)", OURS)
    unaccounted = await _plan_of(administrator, "select notify.unaccounted($1, 60)", ENTERPRISES)
    pages_read = await _pages_read(administrator, "select notify.due_scheduled($1, 10000)", OURS)

    assert _scans(scheduled) == {"ent_notification_pending_scheduled"}
    assert _scans(unaccounted) == DUE_INDEXES - {"ent_notification_uncancelled", "ent_notification_urgent"}
    assert pages_read <= 40


async def test_ten_thousand_rows_due_at_one_instant_are_found_through_the_index_whatever_the_statistics(
    separate_project: Project, administrator: Connection
) -> None:
    await _fill(separate_project, administrator, SENT)
    await administrator.execute("analyze notify.ent_notification")
    await _fill(separate_project, administrator, {"scheduled_for": "'2026-01-01Z'"})

    plan = await _plan_of(administrator, "select notify.due_scheduled($1, 10000)", OURS)

    assert _scans(plan) == {"ent_notification_pending_scheduled"}


async def test_a_batch_is_claimed_kept_and_ended_by_primary_key(
    separate_project: Project, administrator: Connection
) -> None:
    await _fill(separate_project, administrator, DUE)
    await administrator.execute("analyze notify.ent_notification")
    ids = [
        row["id"]
        for row in await administrator.fetch(
            "select id from notify.ent_notification where enterprise_id::text = $1 order by id limit 100", OURS
        )
    ]
    outcomes = [{"id": key, "status": "SENT", "transaction_id": "t"} for key in ids[:50]]
    cancellations = [{"id": key, "transaction_id": "t", "cancellation": {}} for key in ids]
    calls: list[tuple[str, *tuple[Any, ...]]] = [
        ("select notify.claim_notifications($1, $2, 'owner', 60)", OURS, ids),
        ("select notify.renew_claims($1, 'owner', $2, 60)", OURS, {str(key): 1 for key in ids}),
        ("select notify.record_outcomes($1, 'owner', $2)", OURS, outcomes),
        ("select notify.retract_notifications($1, $2, 'reason')", OURS, ids),
        ("select notify.retractions_to_cancel($1, $2)", OURS, ids),
        ("select notify.record_cancellations($1, $2)", OURS, cancellations),
    ]

    scans = [_scans(await _plan_of(administrator, statement, *arguments)) for statement, *arguments in calls]

    assert scans == [{"ent_notification_pkey"}] * len(calls)


async def test_a_claim_of_a_hundred_rows_reads_a_bounded_number_of_pages(
    separate_project: Project, administrator: Connection
) -> None:
    """Up to 37 pages for each row: three for finding it by itself (rows of many enterprises are looked up pair by pair:
    docs/decisions/0076), its lock, and its new version's entries in up to nine indexes. The table has thousands.
    """
    await _fill(separate_project, administrator, DUE)
    await administrator.execute("vacuum analyze notify.ent_notification")
    every_id = [row["id"] for row in await administrator.fetch("select id from notify.ent_notification order by id")]
    ours = every_id[:: len(ENTERPRISES)]
    await claim(administrator, ours[:1])

    pages_read = await _pages_read(
        administrator, "select notify.claim_notifications($1, $2, 'owner', 60)", OURS, ours[1:101]
    )

    assert pages_read <= 37 * 100


async def _fill(project: Project, connection: Connection, columns: dict[str, str]) -> None:
    """Twenty thousand published rows, spread over the enterprises; `columns` are SQL in terms of the counter i."""
    enterprise_type = "uuid" if project.shape == "existing" else "text"
    enterprises = f"('{{{','.join(ENTERPRISES)}}}'::{enterprise_type}[])[1 + i % {len(ENTERPRISES)}]"
    row = {
        "name": "gen_random_uuid()",
        "payload": "jsonb_build_object('text', repeat('x', 200))",
        "recipients": f"'{{{RECIPIENT}}}'",
        "publish_status": "'PUBLISH'",
        "enterprise_id": enterprises,
        **columns,
    }
    await connection.execute(
        f"insert into notify.ent_notification ({', '.join(row)}) select {', '.join(row.values())}"
        f" from generate_series(0, {ROWS - 1}) as i"
    )


async def _plan_of(connection: Connection, statement: str, *arguments: Any) -> str:
    """The plans of all that the statement ran, inner statements of functions included."""
    plans: list[str] = []

    def keep(_: object, message: Any) -> None:
        plans.append(message.message)

    connection.add_log_listener(keep)
    await connection.execute(
        "set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;"
        " set client_min_messages = log"
    )
    await connection.fetch(statement, *arguments)
    await connection.execute("set auto_explain.log_min_duration = -1; set client_min_messages = warning")
    connection.remove_log_listener(keep)
    return "\n".join(plans)


def _scans(plan: str) -> set[str]:
    """How the plan reads notifications: by which indexes, or the whole table."""
    return {
        *re.findall(r"Index(?: Only)? Scan (?:Backward )?using (\w+) on ent_notification\b", plan),
        *re.findall(
            r"Bitmap Index Scan on (ent_notification_(?:pkey|pending|leases|uncancelled|name|created)\w*)", plan
        ),
        *re.findall(r"Seq Scan on ent_notification\b", plan),
    }


async def _pages_read(connection: Connection, statement: str, *arguments: Any) -> int:
    """How many pages the statement touched the second time, when its plan and the catalogue are cached."""
    await connection.fetch(statement, *arguments)
    [explained] = await connection.fetchval(f"explain (analyze, buffers, format json) {statement}", *arguments)
    plan = explained["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
