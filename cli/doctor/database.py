"""Supabase: the key, the schema's version, the publication, the clock. All of it is one call of `notify.self_check`."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.doctor.problem import Problem
from cli.supabase_session import supabase_session
from shared.health.remedies import BY_DATABASE_CODE, MIGRATE
from shared.ports import FeedWay, StoreUnavailable
from shared.settings import FeedSettings, SupabaseSettings
from shared.supabase.notification_store import SupabaseNotificationStore
from shared.supabase.sql_function import call_function

MOST_SKEW = timedelta(seconds=2)

EXPECTED_FUNCTIONS = frozenset(
    {
        *("claim_batch", "create_notification", "create_served_notification", "cron_rules"),
        "create_started_notification",
        *("due_notifications", "due_scheduled", "ended_notifications", "find_trigger_request"),
        *("fire_rules", "health_observation", "heartbeats", "hold_claims", "look_at_deployment"),
        *("note_delivery_faults", "note_novu_payment", "pause_novu_tokens", "take_novu_tokens"),
        *("note_rule_change", "note_trigger_request", "note_workflow_change", "notifications_to_trigger"),
        *("public_access", "publish_heartbeat", "record_cancellations", "record_outcomes"),
        *("retried_deliveries", "call_each"),
        *("renew_claims", "replay_notifications", "retract_notifications", "retractions_to_cancel"),
        *("look_out_for", "mark_unread_rules", "read_cron_rules", "ring", "ring_for_notifications"),
        *("ring_for_rules", "sing", "clear_doorbell", "silent_triggers", "unpublished_doorbell", "unsent_broadcasts"),
        *("share_shards", "leave_shards"),
        *(
            "list_enterprises",
            "remove_enterprise",
            "served_enterprises",
            "set_enterprise",
            "enterprise_settings",
            "enterprises_told",
            "serve_enterprise",
            "shared_work",
            "unaccounted_in",
        ),
        *("forget_novu_workflows", "left_novu_workflows", "note_novu_workflows", "novu_workflow_rows"),
        *("apply_files", "file_rows", "file_surroundings", "files_seen"),
        *("note_kept_credentials", "recipients_of"),
        *("note_novu_payment", "pause_novu_tokens", "take_novu_tokens"),
        *("begin_second_tries", "claim_followed_batch", "replay_chosen", "replay_undelivered"),
        *("record_delivery", "record_followed_outcomes", "settled_deliveries", "take_delivery_looks"),
        *(
            "begin_scaler_tick",
            "end_scaler_tick",
            "erase_from_notifications",
            "erase_from_rules",
            "erase_recipient",
            "keep_notifications",
            "keep_rules",
            "prune_notifications",
            "preview_templates",
            "scheduler_passes",
            "self_check",
            "notification_of_key",
            "trace_notification",
            "trace_rule",
            "unaccounted",
            "withdraw_heartbeat",
        ),
    }
)
"""What this release calls, and what its triggers call; a test holds them against the migrations."""

_REVOKE = "rows hold personal data: revoke all on it from public, anon, authenticated (docs/database.md)."


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the database says of itself; `skew` is how far its clock is ahead of ours, give or take `uncertainty`."""

    content: dict[str, Any]
    skew: timedelta
    uncertainty: timedelta


async def check_supabase() -> list[Problem]:
    """The key is the service role's, every function of this release is there, and nobody else may use the schema."""
    try:
        answer = await _ask()
    except StoreUnavailable as unavailable:
        return [Problem(str(unavailable), _hint(unavailable), "supabase")]
    missing = sorted(EXPECTED_FUNCTIONS.difference(answer.content["functions"]))
    if missing:
        return [Problem(f"the schema lacks {', '.join(missing)}", MIGRATE, "supabase")]
    exposed = await _public_access()
    if exposed:
        return [Problem(f"anon or authenticated may use {', '.join(exposed)}", _REVOKE, "access")]
    return []


async def check_publication() -> list[Problem]:
    """Rings are rung, and what carries them is there: as FEED says; `auto` takes what there is."""
    choice = FeedSettings.load().feed
    way = FeedWay.BROADCAST if choice == "broadcast" else FeedWay.POSTGRES_CHANGES
    async with supabase_session(SupabaseSettings.load()) as client:
        found = await SupabaseNotificationStore(client).look_out((), way)
    return [Problem(flaw.what, f"mend it with: {flaw.mend}", "publication") for flaw in found.flaws]


async def check_clock() -> list[Problem]:
    """Ours and the database's agree: leases and schedules are by the database's."""
    answer = await _ask()
    if abs(answer.skew) <= MOST_SKEW + answer.uncertainty:
        return []
    direction = "ahead of" if answer.skew < timedelta() else "behind"
    seconds = abs(answer.skew).total_seconds()
    return [Problem(f"this machine's clock is {seconds:.1f} s {direction} the database's", "run NTP here.", "clock")]


async def _public_access() -> list[str]:
    """What the public keys' roles may use of schema `notify`. Raises StoreUnavailable."""
    async with supabase_session(SupabaseSettings.load()) as client:
        return list(await call_function(client, "public_access"))


async def _ask() -> _Answer:
    """Raises StoreUnavailable."""
    async with supabase_session(SupabaseSettings.load()) as client:
        await call_function(client, "self_check")  # opens the connection, so that the next call is measured alone
        before, started = datetime.now(UTC), time.monotonic()
        content = await call_function(client, "self_check")
        half = timedelta(seconds=(time.monotonic() - started) / 2)
    return _Answer(content, datetime.fromisoformat(content["now"]) - (before + half), half)


def _hint(unavailable: StoreUnavailable) -> str:
    if unavailable.code is not None:
        return BY_DATABASE_CODE.get(unavailable.code, "the project's API log says more.")
    return "check NEXT_PUBLIC_SUPABASE_URL, and whether the project is paused."
