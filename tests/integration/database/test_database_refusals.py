"""Rows whose UPDATE the project's own constraints and triggers refuse end with a code, or rest, and harm no other."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    Connection,
    Project,
    call,
    ids_of,
    insert_notification,
    insert_notifications,
    insert_rule,
    insert_workflow,
    read,
    read_rule,
    update,
)

PERSONAL = "Ada Lovelace"

WAYS = {
    "raise": (f"raise exception 'not for {PERSONAL}'", "P0001"),
    "a code of the project's own": (f"raise exception 'not for {PERSONAL}' using errcode = 'PT409'", "PT409"),
    "prerequisite": ("raise object_not_in_prerequisite_state", "55000"),
    "a table that is gone": ("perform from audit.gone", "42P01"),
    "a cast": ("perform new.name::int", "22P02"),
    "assert": ("assert false", "P0004"),
    "silence": ("return old", "00000"),
    "nothing at all": ("return null", "00000"),
}
"""How a trigger refuses, and what is told of it."""


@asynccontextmanager
async def refusing(project: Project, when: str, how: str = WAYS["raise"][0]) -> AsyncIterator[None]:
    """A trigger of the project's own that refuses stubborn rows an update when `when`, of `old` and `new`, is true."""
    async with project.connect("postgres") as owner:
        await owner.execute(
            f"""
            create function public.refuse() returns trigger language plpgsql as $body$
            begin
                if old.name like 'stubborn%' and ({when}) then
                    {how};
                end if;
                return new;
            end
            $body$;
            create trigger refuse before update on notify.ent_notification
                for each row execute function public.refuse();
            """
        )
        try:
            yield
        finally:
            await owner.execute("drop function public.refuse() cascade")


async def _rows(connection: Connection) -> tuple[int, int, int]:
    """Two that take what they are given, and a stubborn one between them."""
    return (
        await insert_notification(connection),
        await insert_notification(connection, name="stubborn"),
        await insert_notification(connection),
    )


async def _claim(connection: Connection, *ids: int, owner: str = "owner") -> Any:
    return await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=list(ids),
        p_claim_owner=owner,
        p_lease_seconds=60,
    )


async def _record(connection: Connection, *ids: int, **error_details: Any) -> Any:
    outcomes: list[dict[str, Any]] = [
        {"id": key, "status": "FAILED", "error_details": error_details, "transaction_id": None}
        if error_details
        else {"id": key, "status": "SENT", "transaction_id": f"sent.{key}"}
        for key in ids
    ]
    return await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=outcomes)


async def _statuses(connection: Connection, *ids: int) -> list[str]:
    return [(await read(connection, key))["notification_status"] for key in ids]


async def _due(connection: Connection) -> list[int]:
    answer = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)
    return [key for page in answer for key in page["notification_ids"]]


async def _retried(connection: Connection) -> dict[str, int]:
    answer = await call(connection, "retried_deliveries", p_enterprise_ids=[OURS])
    return {retried["code"]: retried["rows"] for retried in answer}


async def _noted(connection: Connection) -> list[asyncpg.Record]:
    return await connection.fetch("select * from notify.refused_update")


async def _pass_time(connection: Connection) -> None:
    """Until what rests is tried again."""
    await connection.execute("update notify.refused_update set retry_at = now()")


@pytest.mark.parametrize("project", ["fresh"], indirect=True)
@pytest.mark.parametrize("how", WAYS)
async def test_a_row_that_refuses_to_be_sent_is_failed_with_a_code_and_its_mates_are_sent(
    project: Project, connection: Connection, how: str
) -> None:
    first, stubborn, last = await _rows(connection)
    await _claim(connection, first, stubborn, last)

    async with refusing(project, "new.notification_status = 'SENT'", WAYS[how][0]):
        answer = await _record(connection, first, stubborn, last)
        again = await _record(connection, first, stubborn, last)

    row = await read(connection, stubborn)
    details = row["error_details"]
    assert (
        answer
        == again
        == {
            "recorded": [first, last],
            "refused": {str(stubborn): {"sqlstate": WAYS[how][1], "rests": False}},
        }
    )
    assert await _statuses(connection, first, stubborn, last) == ["SENT", "FAILED", "SENT"]
    assert (details["code"], details["outcome"], details["sqlstate"]) == ("outcome_refused", "sent", WAYS[how][1])
    assert PERSONAL not in str(details)
    assert (row["transaction_id"], row["lease_expires_at"]) == (f"sent.{stubborn}", None)
    assert await _noted(connection) == []


async def test_a_constraint_and_a_trigger_at_the_end_of_the_transaction_are_heard_in_time(
    project: Project, connection: Connection
) -> None:
    first, stubborn, last = await _rows(connection)
    await _claim(connection, first, stubborn, last)
    async with project.connect("postgres") as owner:
        await owner.execute(
            """
            create function public.refuse() returns trigger language plpgsql as
                $body$ begin raise exception 'no'; end $body$;
            create constraint trigger refuse after update on notify.ent_notification deferrable initially deferred
                for each row when (new.name like 'stubborn%' and new.notification_status = 'SENT')
                execute function public.refuse();
            alter table notify.ent_notification add constraint refused
                check (name not like 'stubborn%' or error_details is null or error_details ->> 'code' <> 'expired')
            """
        )
        try:
            await _record(connection, first, stubborn)
            await update(connection, [stubborn], "notification_status = 'PROCESSING', lease_expires_at = now()")
            refused = await _record(connection, stubborn, last, code="expired", chunks_sent=2)
        finally:
            await owner.execute(
                "drop function public.refuse() cascade; alter table notify.ent_notification drop constraint refused"
            )

    details = (await read(connection, stubborn))["error_details"]
    assert await _statuses(connection, first, stubborn, last) == ["SENT", "FAILED", "FAILED"]
    assert refused["recorded"] == [last]
    assert (details["sqlstate"], details["outcome"], details["refused_code"]) == ("23514", "failed", "expired")
    assert (await read(connection, stubborn))["chunks_sent"] == 2


@pytest.mark.parametrize("how", ["raise", "nothing at all"])
async def test_an_outcome_that_no_row_takes_is_kept_shown_and_written_once_the_row_takes_it_but_never_sent_again(
    project: Project, connection: Connection, how: str
) -> None:
    first, stubborn, last = await _rows(connection)
    await _claim(connection, first, stubborn, last)
    async with refusing(project, "new.notification_status <> 'PROCESSING'", WAYS[how][0]):
        answer = await _record(connection, first, stubborn, last)
        await update(connection, [stubborn], "lease_expires_at = now()")
        resting = await _due(connection), ids_of(await _claim(connection, stubborn, owner="another"))
        shown = await _retried(connection)
        await _pass_time(connection)
        due = await _due(connection)
        tried = ids_of(await _claim(connection, stubborn, owner="another"))
        (noted,) = await _noted(connection)
        await _pass_time(connection)

    mended = await _claim(connection, stubborn, owner="another")

    row = await read(connection, stubborn)
    assert answer["recorded"] == [first, last]
    assert answer["refused"] == {str(stubborn): {"sqlstate": WAYS[how][1], "rests": True}}
    assert resting == ([], [])
    assert shown == {"outcome_refused": 1}
    assert (due, tried, noted["refusals"]) == ([stubborn], [], 2)
    assert noted["retry_at"] - noted["last_at"] == timedelta(minutes=2)
    assert PERSONAL not in str(dict(noted))
    assert (mended["notifications"], row["notification_status"], row["transaction_id"]) == (
        [],
        "SENT",
        f"sent.{stubborn}",
    )
    assert (await _noted(connection), await _retried(connection)) == ([], {})


@pytest.mark.parametrize("project", ["fresh"], indirect=True)
@pytest.mark.parametrize("how", WAYS)
async def test_a_row_that_refuses_to_be_claimed_is_failed_and_its_mates_are_claimed(
    project: Project, connection: Connection, how: str
) -> None:
    first, stubborn, last = await _rows(connection)

    async with refusing(project, "new.notification_status = 'PROCESSING'", WAYS[how][0]):
        answer = await _claim(connection, first, stubborn, last)

    row = await read(connection, stubborn)
    assert ids_of(answer) == [first, last]
    assert answer["refused"] == {str(stubborn): WAYS[how][1]}
    assert [notification["attempts"] for notification in answer["notifications"]] == [1, 1]
    assert (row["notification_status"], row["error_details"]["code"]) == ("FAILED", "claim_refused")
    assert PERSONAL not in str(row["error_details"])
    assert await _noted(connection) == []


@pytest.mark.parametrize("how", ["raise", "silence"])
async def test_a_row_that_takes_no_update_at_all_rests_shown_and_is_claimed_once_it_takes_one(
    project: Project, connection: Connection, how: str
) -> None:
    first, stubborn, last = await _rows(connection)
    async with refusing(project, "true", WAYS[how][0]):
        answer = await _claim(connection, first, stubborn, last)
        resting = await _due(connection), ids_of(await _claim(connection, stubborn))
        shown = await _retried(connection)
        scheduled = await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=10)
        await _pass_time(connection)
        due = await _due(connection)

    assert ids_of(answer) == [first, last]
    assert (resting, shown, scheduled["due"]) == (([], []), {"claim_refused": 1}, [])
    assert stubborn in due
    assert ids_of(await _claim(connection, stubborn)) == [stubborn]
    assert (await _noted(connection), await _retried(connection)) == ([], {})


async def test_a_row_that_refuses_is_no_row_that_waits(project: Project, connection: Connection) -> None:
    _, stubborn, _ = await _rows(connection)
    async with refusing(project, "true"):
        await _claim(connection, stubborn)
    await update(connection, [stubborn], "scheduled_for = now()")

    scheduled = await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=10)
    unaccounted = await call(connection, "unaccounted", p_enterprise_ids=[OURS], p_older_than_seconds=0)
    health = await call(connection, "health_observation", p_enterprise_ids=[OURS], p_recent_seconds=60.0, p_failures=1)

    assert (scheduled["due"], unaccounted["rows"], health["due"][0]["rows"]) == ([], 2, 2)


async def test_a_refused_claim_minds_what_an_answer_may_weigh(project: Project, connection: Connection) -> None:
    stubborn = await insert_notification(connection, name="stubborn")
    heavy = await insert_notifications(connection, 8, payload={"text": "x" * 600_000})
    async with refusing(project, "true"):
        answer = await _claim(connection, *heavy, stubborn)

    assert answer["refused"] == {str(stubborn): "P0001"}
    assert (len(answer["notifications"]), len(answer["deferred"])) == (6, 2)
    assert sorted([*ids_of(answer), *answer["deferred"]]) == heavy


RENEW = ("renew_claims", "p_chunks_sent", lambda ids: {str(key): 1 for key in ids})
HOLD = ("hold_claims", "p_rows", lambda ids: [{"id": key, "chunks_sent": 1, "answered": True} for key in ids])


@pytest.mark.parametrize("how", ["raise", "nothing at all"])
@pytest.mark.parametrize(("function", "argument", "told"), [RENEW, HOLD], ids=["renew", "hold"])
async def test_a_claim_that_cannot_be_renewed_is_kept_by_a_note(
    project: Project,
    connection: Connection,
    how: str,
    function: str,
    argument: str,
    told: Callable[[list[int]], Any],
) -> None:
    first, stubborn, last = await _rows(connection)
    await _claim(connection, first, stubborn, last)
    when = "new.notification_status = 'PROCESSING' and old.notification_status = 'PROCESSING'"
    async with refusing(project, when, WAYS[how][0]):
        answer = await call(
            connection,
            function,
            p_enterprise_id=OURS,
            p_claim_owner="owner",
            p_lease_seconds=600,
            **{argument: told([0, first, stubborn, last])},
        )
    await update(connection, [stubborn], "lease_expires_at = now()")

    assert answer == {"held": [first, stubborn, last]}
    assert [(await read(connection, key))["chunks_sent"] for key in (first, stubborn, last)] == [1, 0, 1]
    assert await _retried(connection) == {"renewal_refused": 1}
    assert await _due(connection) == []
    assert ids_of(await _claim(connection, stubborn, owner="another")) == []
    assert ids_of(await _claim(connection, stubborn)) == [stubborn]
    await _record(connection, stubborn)
    assert (await _retried(connection), await _noted(connection)) == ({}, [])


async def test_a_row_that_cannot_be_retracted_is_named_and_its_mates_are_retracted(
    project: Project, connection: Connection
) -> None:
    first, stubborn, last = await _rows(connection)
    await _claim(connection, first)
    async with refusing(project, "new.notification_status = 'RETRACTED'"):
        answer = await call(
            connection,
            "retract_notifications",
            p_enterprise_id=OURS,
            p_notification_ids=[last, stubborn, first],
            p_reason="wrong price",
        )

    assert answer == {
        "retracted": [first, last],
        "in_flight": [first],
        "too_late": [],
        "refused": {str(stubborn): "P0001"},
    }
    assert await _statuses(connection, first, stubborn, last) == ["RETRACTED", "PENDING", "RETRACTED"]


async def test_an_answer_of_novu_that_a_row_refuses_holds_up_no_other_and_is_asked_for_again_later(
    project: Project, connection: Connection
) -> None:
    rows = await _rows(connection)
    await update(connection, list(rows), "notification_status = 'RETRACTED', transaction_id = 'sent'")
    first, stubborn, last = rows

    async def to_cancel() -> list[int]:
        listed = await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=list(rows))
        due = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)
        uncancelled = [key for page in due for key in page["uncancelled"]]
        assert uncancelled == [each["id"] for each in listed]
        return uncancelled

    async with refusing(project, "new.cancellation is not null"):
        answer = await call(
            connection,
            "record_cancellations",
            p_enterprise_id=OURS,
            p_cancellations=[
                {"id": key, "transaction_id": "sent", "cancellation": {"cancelled": True}} for key in rows
            ],
        )

    assert answer == {"recorded": [first, last]}
    assert await _retried(connection) == {"cancellation_refused": 1}
    assert await to_cancel() == []
    await _pass_time(connection)
    assert await to_cancel() == [stubborn]


async def test_a_row_that_cannot_be_replayed_is_named_and_its_mates_are_replayed(
    project: Project, connection: Connection
) -> None:
    first, stubborn, last = await _rows(connection)
    await update(connection, [first, stubborn, last], "notification_status = 'FAILED'")
    async with refusing(project, "new.notification_status = 'PENDING'"):
        answer = await call(
            connection,
            "replay_notifications",
            p_enterprise_id=OURS,
            p_since=None,
            p_code=None,
            p_limit=10,
            p_dry_run=False,
        )

    assert (answer["notification_ids"], answer["refused"]) == ([first, last], {str(stubborn): "P0001"})
    assert await _statuses(connection, first, stubborn, last) == ["PENDING", "FAILED", "PENDING"]


async def _publish(owner: Connection) -> None:
    with suppress(asyncpg.DuplicateObjectError):
        await owner.execute("alter publication supabase_realtime add table notify.ent_notification")


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        (
            "revoke update on notify.ent_notification from service_role",
            "grant update on notify.ent_notification to service_role",
        ),
        (
            "alter table notify.ent_notification replica identity nothing",
            "alter table notify.ent_notification replica identity default",
        ),
    ],
)
async def test_what_no_update_can_pass_is_no_rows_fault_and_is_tried_again(
    project: Project, connection: Connection, break_it: str, mend_it: str
) -> None:
    claimed, free = await insert_notifications(connection, 2)
    await _claim(connection, claimed)
    async with project.connect("postgres") as owner:
        await _publish(owner)  # without replica identity only a published table takes no update
        await owner.execute(break_it)
        try:
            with pytest.raises(asyncpg.PostgresError):
                await _record(connection, claimed)
            with pytest.raises(asyncpg.PostgresError):
                await _claim(connection, free)
        finally:
            await owner.execute(mend_it)

    assert await _statuses(connection, claimed, free) == ["PROCESSING", "PENDING"]
    assert await _noted(connection) == []


async def test_an_error_that_says_try_again_is_tried_again(project: Project, connection: Connection) -> None:
    _, stubborn, last = await _rows(connection)
    async with refusing(project, "true", "raise serialization_failure"):
        with pytest.raises(asyncpg.SerializationError):
            await _claim(connection, stubborn, last)

    assert await _statuses(connection, stubborn, last) == ["PENDING", "PENDING"]


@pytest.mark.parametrize("how", ["raise", "a code of the project's own", "a table that is gone", "assert"])
async def test_a_rule_whose_notification_is_refused_says_why_by_code_and_the_others_fire(
    project: Project, connection: Connection, how: str
) -> None:
    workflow = await insert_workflow(connection)
    refused = await insert_rule(
        connection, workflow, rule_payload={"recipients": ["00000000-0000-4000-8000-0000000000ee"]}
    )
    fired = await insert_rule(connection, workflow)
    async with project.connect("postgres") as owner:
        await owner.execute(
            f"""
            create function public.refuse() returns trigger language plpgsql as
                $body$ begin {WAYS[how][0]}; return new; end $body$;
            create trigger refuse before insert on notify.ent_notification
                for each row when (new.notification_rule_id = {refused}) execute function public.refuse();
            create trigger refuse before update on notify.ent_notification_rule
                for each row when (new.schedule_error like '%never%') execute function public.refuse();
            """
        )
        try:
            now = await connection.fetchval("select now()")
            rules = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
            firings = [
                {
                    "rule_id": rule["id"],
                    "instants": [now.isoformat()],
                    "decided_through": now.isoformat(),
                    "expected_fired_through": rule["fired_through"],
                }
                for rule in rules
            ]
            answer = await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=firings, p_next_due_at=None)
            error = (await read_rule(connection, refused))["schedule_error"]
            rules = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
            unwritable = await call(
                connection,
                "fire_rules",
                p_enterprise_id=OURS,
                p_firings=[
                    {
                        "rule_id": rule["id"],
                        "instants": [],
                        "decided_through": rule["fired_through"],
                        "expected_fired_through": rule["fired_through"],
                        "error": "never" if rule["id"] == refused else "a reason",
                    }
                    for rule in rules
                ],
                p_next_due_at=None,
            )
        finally:
            await owner.execute("drop function public.refuse() cascade")

    assert (answer["fired"], "unwritable_rules" in answer) == (1, False)
    assert error == f"the database refused the notification: SQLSTATE {WAYS[how][1]}"
    assert unwritable["unwritable_rules"] == [refused]
    assert (await read_rule(connection, fired))["schedule_error"] == "a reason"


@pytest.mark.parametrize("how", ["raise", "a code of the project's own", "a cast", "assert"])
async def test_a_callers_row_that_is_refused_by_whatever_error_is_answered_so(
    project: Project, connection: Connection, how: str
) -> None:
    await insert_workflow(connection, workflow_key="key")
    async with project.connect("postgres") as owner:
        await owner.execute(
            f"""
            create function public.refuse() returns trigger language plpgsql as
                $body$ begin {WAYS[how][0]}; return new; end $body$;
            create trigger refuse before insert on notify.ent_notification
                for each row execute function public.refuse();
            """
        )
        try:
            answer = await call(
                connection,
                "create_notification",
                p_enterprise_id=OURS,
                p_workflow_key="key",
                p_recipients=["00000000-0000-4000-8000-0000000000ee"],
                p_payload={},
            )
        finally:
            await owner.execute("drop function public.refuse() cascade")

    assert answer == {"refused": "refused_by_database"}
