"""A Supabase project's database as the tests see it: connections in a role, builders of rows, calls of functions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from stack.migrations import apply_migrations
from stack.postgres import MIGRATIONS, PARTITIONED

OURS = "00000000-0000-4000-8000-000000000001"
THEIRS = "00000000-0000-4000-8000-000000000002"
"""Enterprise ids are uuids, because an existing project's column takes nothing else."""

GIVEN_BACK = "notification_status = 'PENDING', claim_owner = null, lease_expires_at = null"
"""What an operator sets on a row whose worker will not come back."""

RECIPIENT = "00000000-0000-4000-8000-0000000000ff"

TOMORROW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=36)
"""Until when a claim can hold a row; one that says much later holds nothing."""

EXISTING_PROJECT = Path(__file__).with_name("existing_project.sql").read_text(encoding="utf-8")
"""Makes a project as it was before our migrations."""

TABLES = {
    "component_heartbeat",
    "delivery_account",
    "delivery_fact",
    "delivery_fault",
    "delivery_reader",
    "doorbell",
    "enterprise",
    "ent_notification",
    "ent_notification_rule",
    "ent_notification_template",
    "ent_notification_workflow",
    "listener_beat",
    "listener_canary",
    "listener_share",
    "novu_rate",
    "novu_workflow",
    "recipient",
    "recipient_kept",
    "refused_update",
    "rule_progress",
    "scaler",
    "scheduler_pass",
    "trigger_request",
    "unread_rules",
    "typ_notification_category",
    "typ_notification_priority",
}

FUNCTIONS = {
    "apply_file",
    "apply_files",
    "check_enterprise",
    "enterprise_settings",
    "enterprises_told",
    "forget_enterprise_rate",
    "note_novu_key_change",
    "enterprises_with_work",
    "first_scheduled",
    "list_enterprises",
    "ring_for_enterprises",
    "reschedule_enterprise",
    "serve_enterprise",
    "set_enterprise",
    "served_enterprises",
    "shard_of",
    "shared_work",
    "unaccounted_in",
    "unserved_enterprises",
    "base_of",
    "beat_canary",
    "begin_scaler_tick",
    "begin_second_tries",
    "begin_second_tries_of",
    "begin_second_try",
    "busy_enterprises",
    "call_each",
    "call_one",
    "claim_as_one",
    "claim_batch",
    "claim_followed_batch",
    "claim_notifications",
    "count_delivery_accounts",
    "clear_doorbell",
    "create_notification",
    "create_served_notification",
    "create_started_notification",
    "cron_rules",
    "delivery_count",
    "delivery_person",
    "delivery_states",
    "due_notifications",
    "due_scheduled",
    "end_refused_tries",
    "end_scaler_tick",
    "ended_notifications",
    "failures_with_template",
    "erase_from_notification",
    "erase_from_notifications",
    "erase_from_rules",
    "erase_recipient",
    "erased_json",
    "erased_text",
    "fault_passes",
    "fill_channels",
    "find_trigger_request",
    "file_rows",
    "file_surroundings",
    "files_seen",
    "fire_rules",
    "follow_notifications",
    "forget_novu_workflows",
    "health_observation",
    "health_of_many",
    "heartbeats",
    "hold_claims",
    "hold_rows",
    "insert_is_refused",
    "is_own_base",
    "json_bytes",
    "keep_notifications",
    "keep_rules",
    "keyless_base",
    "leave_shards",
    "left_novu_workflows",
    "look_at_deployment",
    "look_at_health",
    "lost_components",
    "look_out",
    "look_out_for",
    "lose_deliveries",
    "mark_unread_rules",
    "may_name",
    "note_delivery_faults",
    "note_kept_credentials",
    "note_novu_payment",
    "note_novu_workflows",
    "note_priority",
    "note_refused_update",
    "note_rule_change",
    "note_trigger_request",
    "note_workflow_change",
    "noted_rows",
    "notification_of_key",
    "notifications_of_transactions",
    "notifications_to_trigger",
    "novu_workflow_rows",
    "open_delivery_accounts",
    "pause_novu_tokens",
    "preview_templates",
    "prune_notifications",
    "public_access",
    "publish_heartbeat",
    "reachable_templates",
    "templates_reached",
    "read_cron_rules",
    "readable_instant",
    "recipients_of",
    "needed_for",
    "needed_for_each",
    "record_as_one",
    "record_cancellations",
    "record_delivery",
    "record_followed_outcomes",
    "record_outcomes",
    "refuse_claim",
    "refuse_outcome",
    "remove_enterprise",
    "renew_claims",
    "renew_rows",
    "replay_chosen",
    "replay_notifications",
    "replay_rows",
    "replay_undelivered",
    "resting_rows",
    "retract_notifications",
    "retract_rows",
    "retractions_to_cancel",
    "retried_deliveries",
    "rows_in_hands",
    "rows_to_rest",
    "rule_update_is_refused",
    "rules_in_error",
    "ring",
    "ring_for_notifications",
    "ring_for_rules",
    "scheduler_passes",
    "second_try_hindrance",
    "second_try_of",
    "second_try_parts",
    "self_check",
    "settle_delivery_accounts",
    "settled_deliveries",
    "take_delivery_looks",
    "share_shards",
    "silent_triggers",
    "sing",
    "take_novu_tokens",
    "take_rows",
    "take_rows_of",
    "tries_of",
    "trace_notification",
    "trace_rule",
    "unaccounted",
    "unpublished_doorbell",
    "unreadable_json",
    "unsent_broadcasts",
    "update_is_refused",
    "withdraw_heartbeat",
    "write_cancellations",
    "write_outcomes",
    "with_attempt",
}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Project:
    """One database; `url` is the superuser's, `shape` says how it came to be."""

    url: str
    shape: str

    @asynccontextmanager
    async def connect(self, role: str = "service_role") -> AsyncIterator[Connection]:
        """A connection in this role, as PostgREST would hold it; JSON is decoded."""
        connection = await asyncpg.connect(self.url)
        try:
            for json_type in ("json", "jsonb"):
                await connection.set_type_codec(json_type, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
            await connection.execute(f"set role {role}")
            yield connection
        finally:
            await connection.close()


async def migrate(project: Project) -> None:
    """Apply every migration, those applied before as well."""
    async with project.connect("postgres") as connection:
        await connection.execute("drop schema if exists supabase_migrations cascade")
    await apply_migrations(project.url, MIGRATIONS)


async def partition(project: Project) -> None:
    """Apply what is beside the migrations, for projects that have outgrown one table."""
    await apply_migrations(project.url, PARTITIONED)


async def call(connection: Connection, function: str, **arguments: Any) -> Any:
    """The answer of a function of schema `notify`, its arguments passed by name as PostgREST does."""
    named = ", ".join(f"{name} => ${position}" for position, name in enumerate(arguments, start=1))
    return await connection.fetchval(f"select notify.{function}({named})", *arguments.values())


async def claim(
    connection: Connection, ids: list[int], owner: str = "owner", *, enterprise_id: str = OURS
) -> dict[str, Any]:
    """The whole answer of a claim under a lease of one minute."""
    answer: dict[str, Any] = await call(
        connection,
        "claim_notifications",
        p_enterprise_id=enterprise_id,
        p_notification_ids=ids,
        p_claim_owner=owner,
        p_lease_seconds=60,
    )
    return answer


def ids_of(answer: dict[str, Any]) -> list[int]:
    """The ids that a claim won, in its order."""
    return [notification["id"] for notification in answer["notifications"]]


async def insert_notification(connection: Connection, **columns: Any) -> int:
    """A published, immediately due notification of ours, unless the columns say otherwise."""
    return await _insert(connection, "ent_notification", {"payload": {}, "recipients": [RECIPIENT], **columns})


async def insert_notifications(connection: Connection, count: int, **columns: Any) -> list[int]:
    """As many notifications alike."""
    return [await insert_notification(connection, **columns) for _ in range(count)]


async def insert_workflow(connection: Connection, **columns: Any) -> int:
    """An active DYNAMIC workflow of ours, unless the columns say otherwise."""
    defaults = {"workflow_type": "DYNAMIC", "workflow_key": f"workflow-{uuid4()}"}
    return await _insert(connection, "ent_notification_workflow", {**defaults, **columns})


async def insert_rule(connection: Connection, workflow_id: int, **columns: Any) -> int:
    """An active CRON rule of ours for one recipient, unless the columns say otherwise."""
    defaults = {
        "notification_workflow_id": workflow_id,
        "trigger_type": "CRON",
        "trigger_config": {"cron": "0 9 * * *"},
        "rule_payload": {"recipients": [RECIPIENT], "payload": {"greeting": "hello"}},
    }
    return await _insert(connection, "ent_notification_rule", {**defaults, **columns})


async def insert_template(connection: Connection, key: str | None, body: str = "", **columns: Any) -> int:
    """An active e-mail template of ours, unless the columns say otherwise."""
    defaults = {"template_key": key, "channel_type": "EMAIL", "body_template": body}
    return await _insert(connection, "ent_notification_template", {**defaults, **columns})


async def read(connection: Connection, notification_id: int) -> asyncpg.Record:
    """The notification's row."""
    row = await connection.fetchrow("select * from notify.ent_notification where id = $1", notification_id)
    assert row is not None
    return row


async def update(connection: Connection, ids: list[int], assignment: str) -> None:
    """What an application, or passing time, does to rows; `assignment` is SQL."""
    await connection.execute(f"update notify.ent_notification set {assignment} where id = any($1)", ids)


async def read_rule(connection: Connection, rule_id: int) -> asyncpg.Record:
    """The rule's row."""
    row = await connection.fetchrow("select * from notify.ent_notification_rule where id = $1", rule_id)
    assert row is not None
    return row


async def update_rule(connection: Connection, rule_id: int, assignment: str) -> None:
    """What a rule's author does to it; `assignment` is SQL."""
    await connection.execute(f"update notify.ent_notification_rule set {assignment} where id = $1", rule_id)


async def until_blocked(observer: Connection, waiting: Connection, *, within_seconds: float = 60.0) -> None:
    """Returns once `waiting` waits for a lock, so that a race can be held at the interesting moment."""
    async with asyncio.timeout(within_seconds):
        # PostgreSQL has no event to wait for.
        while not await observer.fetchval("select pg_blocking_pids($1) <> '{}'", waiting.get_server_pid()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _insert(connection: Connection, table: str, columns: dict[str, Any]) -> int:
    row = {"name": str(uuid4()), "publish_status": "PUBLISH", "enterprise_id": OURS, **columns}
    names = ", ".join(row)
    places = ", ".join(f"${position}" for position in range(1, len(row) + 1))
    try:
        identity: int = await connection.fetchval(
            f"insert into notify.{table} ({names}) values ({places}) returning id", *row.values()
        )
    except asyncpg.NotNullViolationError:
        if row["enterprise_id"] is None:
            pytest.skip("partitions take no rows of nobody")
        raise
    return identity
