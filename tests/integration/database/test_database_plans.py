"""The functions keep to their indexes on a table of twenty thousand rows, whatever statistics it has."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    Connection,
    Project,
    call,
    claim,
    insert_notifications,
)

ROWS = 20_000
ENTERPRISES = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 11)]
DUE_INDEXES = {
    "ent_notification_pending_unscheduled",
    "ent_notification_pending_scheduled",
    "ent_notification_leases",
}


@pytest.fixture
async def administrator(project: Project) -> AsyncIterator[Connection]:
    """The owner's connection to the project, which may load the plan logger; statistics stay as a test makes them."""
    async with project.connect("postgres") as connection:
        await connection.execute("alter table notify.ent_notification set (autovacuum_enabled = false)")
        await connection.execute("load 'auto_explain'")
        yield connection


async def _fill(connection: Connection, *, status: str, scheduled: str) -> None:
    """Rows of ten enterprises alike; `status` and `scheduled` are SQL."""
    enterprise_type, recipients_type = await connection.fetchrow(
        "select (select format_type(atttypid, null) from pg_attribute"
        " where attrelid = 'notify.ent_notification'::regclass and attname = name)"
        " from unnest(array['enterprise_id', 'recipients']) as name"
    ) or ("", "")
    await connection.execute(
        f"insert into notify.ent_notification"
        f" (name, payload, recipients, publish_status, enterprise_id, notification_status, scheduled_for)"
        f" select i, jsonb_build_object('text', repeat('x', 200)), '{{{RECIPIENT}}}', 'PUBLISH',"
        f" ('{{{','.join(ENTERPRISES)}}}'::{enterprise_type}[])[1 + i % 10], {status}, {scheduled}"
        f" from generate_series(1, {ROWS}) as i"
    )


async def _plan_of(connection: Connection, statement: str, *arguments: object) -> str:
    """The plans of everything the statement ran, functions' inner statements included."""
    plans: list[str] = []
    listener = lambda _, message: plans.append(message.message)  # noqa: E731
    connection.add_log_listener(listener)
    await connection.execute(
        "set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;"
        " set auto_explain.log_analyze = on; set auto_explain.log_timing = off; set client_min_messages = log"
    )
    await connection.fetch(statement, *arguments)
    await connection.execute("set auto_explain.log_min_duration = -1; set client_min_messages = warning")
    connection.remove_log_listener(listener)
    return "\n".join(plans)


def _scans(plan: str) -> set[str]:
    """How the plan reads ent_notification: index names, or "whole table"."""
    indexes = re.findall(r"(?:Index Scan|Index Only Scan) using (ent_notification_\w+) on ent_notification\b", plan)
    bitmaps = re.findall(r"Bitmap Index Scan on (ent_notification_\w+)", plan)
    return {*indexes, *bitmaps} | ({"whole table"} if re.search(r"Seq Scan on ent_notification\b", plan) else set())
