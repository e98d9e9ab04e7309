"""claim_notifications: who gets a row, and with what."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    TOMORROW,
    Connection,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_notifications,
    insert_workflow,
    read,
    update,
)

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


async def test_a_claim_stamps_the_row_and_returns_what_a_delivery_needs(connection: Connection) -> None:
    workflow_id = await insert_workflow(
        connection, workflow_key="welcome", default_channels=["EMAIL", "SMS"], template_overrides={"tags": ["a"]}
    )
    notification_id = await insert_notification(
        connection,
        notification_workflow_id=workflow_id,
        payload={"name": "Ada"},
        channels=["EMAIL"],
        overrides={"email": {}},
        deliver_before=FUTURE,
    )

    answer = await claim(connection, [notification_id], "workflow/1")

    assert answer == {
        "notifications": [
            {
                "id": notification_id,
                "payload": {"name": "Ada"},
                "recipients": [RECIPIENT],
                "channels": ["EMAIL"],
                "overrides": {"email": {}},
                "attempts": 1,
                "chunks_sent": 0,
                "deliver_before": "2100-01-01T00:00:00+00:00",
                "expired": False,
                "notification_workflow_id": workflow_id,
            }
        ],
        "deferred": [],
        "workflows": {
            str(workflow_id): {
                "workflow_key": "welcome",
                "workflow_type": "DYNAMIC",
                "default_channels": ["EMAIL", "SMS"],
                "template_overrides": {"tags": ["a"]},
            }
        },
        "templates": [],
    }
    row = await read(connection, notification_id)
    assert (row["notification_status"], row["claim_owner"], row["attempts"]) == ("PROCESSING", "workflow/1", 1)
    assert row["lease_expires_at"] - row["processed_at"] == timedelta(seconds=60)
    assert row["updated_at"] == row["processed_at"]


@pytest.mark.parametrize(
    "columns",
    [
        {"publish_status": "DRAFT"},
        {"publish_status": "DELETED"},
        {"deactivated": True},
        {"scheduled_for": FUTURE},
        {"notification_status": "SENT"},
        {"notification_status": "FAILED"},
        {"notification_status": "RETRACTED"},
        {"notification_status": "PROCESSING", "claim_owner": "other", "lease_expires_at": TOMORROW},
        {"enterprise_id": None},
    ],
    ids=lambda columns: ",".join(f"{name}={value}" for name, value in columns.items()),
)
async def test_a_row_that_is_not_due_or_not_free_is_left_as_it_is(
    connection: Connection, columns: dict[str, Any]
) -> None:
    notification_id = await insert_notification(connection, **columns)
    before = await read(connection, notification_id)

    answer = await claim(connection, [notification_id])

    assert answer == {"notifications": [], "deferred": [], "workflows": {}, "templates": []}
    assert await read(connection, notification_id) == before


@pytest.mark.parametrize(
    "columns",
    [
        {"scheduled_for": PAST},
        {"notification_status": "PROCESSING", "claim_owner": "other", "lease_expires_at": PAST},
        {"notification_status": "PROCESSING"},
    ],
    ids=["scheduled for the past", "lease lapsed", "claimed before leases existed"],
)
async def test_a_due_and_free_row_is_claimed(connection: Connection, columns: dict[str, Any]) -> None:
    notification_id = await insert_notification(connection, **columns)

    answer = await claim(connection, [notification_id])

    assert ids_of(answer) == [notification_id]
    assert (await read(connection, notification_id))["claim_owner"] == "owner"


async def test_rows_come_in_id_order_whatever_order_was_asked(connection: Connection) -> None:
    ids = await insert_notifications(connection, 5)

    assert ids_of(await claim(connection, ids[::-1])) == ids


async def test_the_same_owner_claims_again_and_each_attempt_counts(connection: Connection) -> None:
    recorded, deactivated, plain = await insert_notifications(connection, 3)
    await claim(connection, [recorded, deactivated, plain])
    outcome = {"id": recorded, "status": "SENT", "transaction_id": "t"}
    await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=[outcome])
    await update(connection, [deactivated], "deactivated = true")

    answer = await claim(connection, [recorded, deactivated, plain])

    assert ids_of(answer) == [deactivated, plain]
    assert [notification["attempts"] for notification in answer["notifications"]] == [2, 2]


async def test_a_row_whose_deadline_passed_is_claimed_as_expired(connection: Connection) -> None:
    late = await insert_notification(connection, deliver_before=PAST)
    in_time = await insert_notification(connection, deliver_before=FUTURE)

    answer = await claim(connection, [late, in_time])

    assert [notification["expired"] for notification in answer["notifications"]] == [True, False]


async def test_an_inactive_workflow_is_not_given_out(connection: Connection) -> None:
    draft = await insert_workflow(connection, publish_status="DRAFT")
    deactivated = await insert_workflow(connection, deactivated=True)
    ids = [
        await insert_notification(connection, notification_workflow_id=workflow_id)
        for workflow_id in (draft, deactivated)
    ]

    answer = await claim(connection, ids)

    assert ids_of(answer) == ids
    assert answer["workflows"] == {}


async def test_rows_beyond_four_megabytes_are_deferred_and_stay_pending(connection: Connection) -> None:
    ids = await insert_notifications(connection, 8, payload={"text": "x" * 700_000})

    answer = await claim(connection, ids)

    assert ids_of(answer) == ids[:5]
    assert answer["deferred"] == ids[5:]
    assert (await read(connection, ids[5]))["notification_status"] == "PENDING"


async def test_one_row_alone_is_claimed_however_large(connection: Connection) -> None:
    notification_id = await insert_notification(connection, payload={"text": "x" * 9_000_000})

    assert ids_of(await claim(connection, [notification_id])) == [notification_id]


@pytest.mark.parametrize(("owner", "lease_seconds"), [("", 60), (None, 60), ("owner", 0), ("owner", None)])
async def test_a_claim_without_owner_or_lease_is_an_error(
    connection: Connection, owner: str | None, lease_seconds: int | None
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await call(
            connection,
            "claim_notifications",
            p_enterprise_id=OURS,
            p_notification_ids=[1],
            p_claim_owner=owner,
            p_lease_seconds=lease_seconds,
        )


async def test_a_row_for_very_many_people_is_claimed_about_as_fast_as_it_is_read(connection: Connection) -> None:
    """jsonb_agg takes forty microseconds for each: seconds, in which the row is locked, and Supabase's limit on
    statements may end the claim, again and again. Held against that on the same machine at the same moment.
    """
    notification_id = await insert_notification(
        connection, recipients=[f"{number:08x}-0000-4000-8000-000000000000" for number in range(50_000)]
    )
    claims: dict[str, Any] = {
        "p_claim_owner": "workflow/1",
        "p_lease_seconds": 120,
        "p_enterprise_id": OURS,
        "p_keyed": True,
        "p_uncalled": False,
    }
    began = time.perf_counter()
    await connection.fetchval(
        "select jsonb_agg(jsonb_build_object('recipients', recipients)) from notify.ent_notification where id = $1",
        notification_id,
    )
    slow = time.perf_counter() - began

    began = time.perf_counter()
    answer = await call(connection, "claim_batch", **claims, p_notification_ids=[notification_id])
    claimed = time.perf_counter() - began
    began = time.perf_counter()
    asked = {"function": "claim_batch", "arguments": {**claims, "p_notification_ids": [notification_id]}}
    other = {"function": "claim_batch", "arguments": {**claims, "p_notification_ids": [0]}}
    together = await call(connection, "call_each", p_calls=[asked, other])
    claimed_together = time.perf_counter() - began

    assert len(answer["notifications"][0]["recipients"]) == 50_000
    assert len(together[0]["notifications"][0]["recipients"]) == 50_000
    assert claimed < slow / 2
    assert claimed_together < slow


async def test_rows_for_very_many_people_are_claimed_one_after_the_other(connection: Connection) -> None:
    """Together they weigh more in the worker's memory than it takes of one answer, whatever their ids' lengths."""
    many = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(40_000)]
    ids = [await insert_notification(connection, recipients=many) for _ in range(3)]

    answer = await claim(connection, ids, "workflow/1")

    assert ids_of(answer) == ids[:1]
    assert answer["deferred"] == ids[1:]
