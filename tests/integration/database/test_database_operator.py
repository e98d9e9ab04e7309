"""trace_notification, ended_notifications, replay_notifications, self_check: what an operator asks."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from cli.doctor.database import EXPECTED_FUNCTIONS
from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    Project,
    call,
    claim,
    insert_notification,
    insert_notifications,
    insert_workflow,
    read,
    update,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def _replay(connection: Connection, *, dry_run: bool = False, **arguments: Any) -> dict[str, Any]:
    wanted = {"p_enterprise_id": OURS, "p_since": None, "p_code": None, "p_limit": 100, **arguments}
    answer: dict[str, Any] = await call(connection, "replay_notifications", **wanted, p_dry_run=dry_run)
    return answer


async def _insert_failed(connection: Connection, code: str | None = "novu_refused", **columns: Any) -> int:
    details = None if code is None else {"code": code, "message": "why"}
    return await insert_notification(connection, notification_status="FAILED", error_details=details, **columns)


async def _ended(connection: Connection, **arguments: Any) -> list[int]:
    wanted = {"p_since": LONG_AGO, "p_after_id": 0, "p_enterprise_id": OURS, "p_limit": 100, **arguments}
    return [row["id"] for row in (await call(connection, "ended_notifications", **wanted))["ended"]]


async def test_a_trace_tells_the_row_s_life_and_neither_payload_nor_recipients(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection, workflow_key="welcome")
    notification_id = await insert_notification(
        connection, notification_workflow_id=workflow_id, payload={"planted": "secret"}
    )
    await claim(connection, [notification_id], "owner")

    trace = await call(connection, "trace_notification", p_notification_id=notification_id)

    assert (trace["enterprise_id"], trace["status"], trace["claim_owner"]) == (OURS, "PROCESSING", "owner")
    assert (trace["attempts"], trace["recipient_count"]) == (1, 1)
    assert trace["workflow"] == {"key": "welcome", "active": True, "same_enterprise": True}
    assert "payload" not in trace
    assert "secret" not in str(trace)


async def test_a_trace_of_no_row_is_null_and_one_without_workflow_has_none(connection: Connection) -> None:
    notification_id = await insert_notification(connection, enterprise_id=None)

    assert await call(connection, "trace_notification", p_notification_id=notification_id + 1) is None
    assert (await call(connection, "trace_notification", p_notification_id=notification_id))["workflow"] is None


async def test_a_replay_sets_failed_rows_of_one_enterprise_to_pending(connection: Connection) -> None:
    failed = await _insert_failed(connection)
    without_code = await _insert_failed(connection, None)
    await _insert_failed(connection, enterprise_id=THEIRS)
    for status in ("SENT", "RETRACTED", "PROCESSING"):
        await insert_notification(connection, notification_status=status)

    answer = await _replay(connection)

    assert answer["notification_ids"] == [failed, without_code]
    assert [(it["code"], it["failed"], it["chosen"]) for it in answer["codes"]] == [
        ("novu_refused", 1, 1),
        ("unknown", 1, 1),
    ]
    pending = await connection.fetch("select id from notify.ent_notification where notification_status = 'PENDING'")
    assert [row["id"] for row in pending] == [failed, without_code]
    assert (await _replay(connection))["notification_ids"] == []


async def test_a_dry_run_says_the_same_and_changes_nothing(connection: Connection) -> None:
    failed = await _insert_failed(connection)
    before = await read(connection, failed)

    dry = await _replay(connection, dry_run=True)

    assert await read(connection, failed) == before
    wet = await _replay(connection)
    assert (dry.pop("dry_run"), wet.pop("dry_run")) == (True, False)
    assert dry == wet


async def test_what_would_not_be_sent_is_counted_and_left_alone(connection: Connection) -> None:
    await _insert_failed(connection, publish_status="DRAFT")
    await _insert_failed(connection, deactivated=True)
    await _insert_failed(connection, deliver_before=LONG_AGO)

    [code] = (await _replay(connection))["codes"]

    assert (code["failed"], code["chosen"], code["inactive"], code["past_deliver_before"]) == (3, 0, 2, 1)
    statuses = await connection.fetch("select distinct notification_status::text as it from notify.ent_notification")
    assert [row["it"] for row in statuses] == ["FAILED"]


async def test_what_novu_recognises_duplicates_by_survives_a_replay(connection: Connection) -> None:
    partly = await _insert_failed(connection, chunks_sent=2, transaction_id="xnovu.1")

    answer = await _replay(connection)

    row = await read(connection, partly)
    assert answer["codes"][0]["may_have_reached_novu"] == 1
    assert (row["chunks_sent"], row["transaction_id"], row["claim_owner"]) == (2, "xnovu.1", None)
    [notification] = (await claim(connection, [partly], "another"))["notifications"]
    assert notification["chunks_sent"] == 2


async def test_a_replay_is_narrowed_by_time_and_code_and_bounded_oldest_first(connection: Connection) -> None:
    old, older, other = [await _insert_failed(connection, code) for code in ("expired", "expired", "novu_refused")]
    await update(connection, [old], "updated_at = '2021-01-01Z'")
    await update(connection, [older], "updated_at = '2020-06-01Z'")

    by_code = await _replay(connection, dry_run=True, p_code="expired")
    by_time = await _replay(connection, dry_run=True, p_since=datetime(2022, 1, 1, tzinfo=UTC))
    bounded = await _replay(connection, dry_run=True, p_limit=1)

    assert set(by_code["notification_ids"]) == {old, older}
    assert by_time["notification_ids"] == [other]
    assert bounded["notification_ids"] == [older]


@pytest.mark.parametrize("arguments", [{"p_limit": 0}, {"p_limit": 1001}, {"p_limit": None}, {"p_enterprise_id": None}])
async def test_a_replay_without_bounds_is_refused(connection: Connection, arguments: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _replay(connection, **arguments)


async def _replay_chosen(connection: Connection, *ids: int, dry_run: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = await call(connection, "replay_chosen", p_notification_ids=list(ids), p_dry_run=dry_run)
    return answer


async def test_chosen_rows_are_replayed_whosever_they_are_and_others_say_why_not(connection: Connection) -> None:
    failed, theirs = await _insert_failed(connection), await _insert_failed(connection, enterprise_id=THEIRS)
    hindered = {
        await insert_notification(connection, notification_status="SENT"): "not_failed",
        await _insert_failed(connection, enterprise_id=None): "nobodys",
        await _insert_failed(connection, deactivated=True): "inactive",
        await _insert_failed(connection, deliver_before=LONG_AGO): "past_deliver_before",
    }
    untouched = await _insert_failed(connection)

    dry = await _replay_chosen(connection, failed, theirs, *hindered, 2**40, dry_run=True)
    before = (await read(connection, failed))["notification_status"]
    wet = await _replay_chosen(connection, failed, theirs, *hindered, 2**40)

    assert before == "FAILED"
    assert (dry.pop("dry_run"), wet.pop("dry_run")) == (True, False)
    assert dry == wet
    assert (wet["notification_ids"], wet["missing"], wet["refused"]) == ([failed, theirs], [2**40], {})
    assert {it["notification_id"]: it["hindrance"] for it in wet["rows"]} == {failed: None, theirs: None, **hindered}
    for notification_id, status in ((failed, "PENDING"), (theirs, "PENDING"), (untouched, "FAILED")):
        assert (await read(connection, notification_id))["notification_status"] == status


async def test_a_chosen_row_that_refuses_its_update_holds_up_no_other(separate_project: Project) -> None:
    async with separate_project.connect("postgres") as owner:
        await owner.execute(
            "alter table notify.ent_notification add constraint stubborn"
            " check (name <> 'refusing' or notification_status = 'FAILED')"
        )
    async with separate_project.connect() as connection:
        refusing, failed = await _insert_failed(connection, name="refusing"), await _insert_failed(connection)

        answer = await _replay_chosen(connection, refusing, failed)

    assert (answer["notification_ids"], answer["refused"]) == ([failed], {str(refusing): "23514"})


async def test_a_row_that_another_replay_has_locked_is_passed_over(project: Project, connection: Connection) -> None:
    failed = await _insert_failed(connection)
    async with project.connect() as another, another.transaction():
        assert (await _replay(another))["notification_ids"] == [failed]

        assert (await _replay(connection))["notification_ids"] == []


async def test_what_ended_is_listed_in_order_and_goes_on_within_one_instant(connection: Connection) -> None:
    ids = await insert_notifications(connection, 5, notification_status="SENT")
    await update(connection, ids, "updated_at = '2021-01-01Z'")
    last = await _insert_failed(connection)
    await insert_notification(connection)
    await _insert_failed(connection, enterprise_id=THEIRS)

    first_page = await _ended(connection, p_limit=3)
    second_page = await _ended(
        connection, p_since=datetime(2021, 1, 1, tzinfo=UTC), p_after_id=first_page[-1], p_limit=100
    )

    assert first_page == ids[:3]
    assert second_page == [*ids[3:], last]


async def test_without_an_enterprise_everybody_s_endings_are_listed_and_without_an_instant_none(
    connection: Connection,
) -> None:
    theirs = await _insert_failed(connection, enterprise_id=THEIRS)

    assert await _ended(connection, p_enterprise_id=None) == [theirs]
    assert await _ended(connection, p_since=None) == []


async def test_the_doctor_s_list_of_functions_is_what_the_migrations_make(connection: Connection) -> None:
    answer = await call(connection, "self_check")

    assert set(answer["functions"]) >= EXPECTED_FUNCTIONS
