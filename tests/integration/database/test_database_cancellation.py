"""What was retracted after it reached Novu: who finds it, and how the row tells what became of it."""

import asyncio
import random
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    GIVEN_BACK,
    OURS,
    RECIPIENT,
    Connection,
    Project,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_notifications,
    read,
    until_blocked,
    update,
)

OTHER_RECIPIENT = "00000000-0000-4000-8000-0000000000fe"


async def _to_cancel(connection: Connection, ids: list[int]) -> Any:
    return await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=ids)


async def _cancel(connection: Connection, ids: list[int], **cancellation: Any) -> list[int]:
    answer = await call(
        connection,
        "record_cancellations",
        p_enterprise_id=OURS,
        p_cancellations=[
            {"id": key, "transaction_id": f"xnovu.{key}", "cancellation": {"cancelled": True, **cancellation}}
            for key in ids
        ],
    )
    recorded: list[int] = answer["recorded"]
    return recorded


async def _record(connection: Connection, notification_id: int, owner: str = "owner", **outcome: Any) -> None:
    outcomes = [{"id": notification_id, "status": "SENT", "transaction_id": f"xnovu.{notification_id}", **outcome}]
    await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner=owner, p_outcomes=outcomes)


async def _retract(connection: Connection, ids: list[int]) -> Any:
    return await call(
        connection, "retract_notifications", p_enterprise_id=OURS, p_notification_ids=ids, p_reason="wrong price"
    )


async def _claimed(connection: Connection, **columns: Any) -> int:
    notification_id = await insert_notification(connection, **columns)
    await claim(connection, [notification_id])
    return notification_id


async def _uncancelled(connection: Connection) -> list[int]:
    pages = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10_000)
    return [notification_id for page in pages for notification_id in page["uncancelled"]]


@pytest.mark.parametrize("by_function", [True, False], ids=["by function", "by update"])
async def test_a_sent_row_that_is_retracted_is_cancelled_once(connection: Connection, by_function: bool) -> None:
    notification_id = await _claimed(connection, recipients=[RECIPIENT, OTHER_RECIPIENT, RECIPIENT])
    await _record(connection, notification_id)
    if by_function:
        await _retract(connection, [notification_id])
    else:
        await update(connection, [notification_id], "notification_status = 'RETRACTED'")

    found = await _uncancelled(connection)
    listed = await _to_cancel(connection, found)
    recorded = [await _cancel(connection, found, events=1), await _cancel(connection, found, events=2)]

    row = await read(connection, notification_id)
    assert listed == [
        {
            "id": notification_id,
            "transaction_id": f"xnovu.{notification_id}",
            "recipient_count": 2,
            "settled": True,
            "second_tries": [],
        }
    ]
    assert recorded == [[notification_id], [notification_id]]
    assert datetime.fromisoformat(row["cancellation"].pop("at")) == row["updated_at"]
    assert row["cancellation"] == {"cancelled": True, "events": 1}
    assert (row["notification_status"], row["transaction_id"]) == ("RETRACTED", f"xnovu.{notification_id}")
    assert (await _uncancelled(connection), await _to_cancel(connection, found)) == ([], [])


async def test_a_row_that_never_reached_novu_is_not_cancelled(connection: Connection) -> None:
    pending = await insert_notification(connection)
    refused = await _claimed(connection)
    await _record(connection, refused, status="FAILED", transaction_id=None, error_details={"code": "template_invalid"})
    sent = await _claimed(connection)
    await _record(connection, sent)

    answer = await _retract(connection, [pending, refused])

    assert answer["too_late"] == []
    assert await _uncancelled(connection) == []
    assert await _to_cancel(connection, [pending, refused, sent]) == []
    assert await _cancel(connection, [pending, refused, sent]) == []
    assert [(await read(connection, key))["cancellation"] for key in (pending, refused, sent)] == [None] * 3


async def test_a_row_retracted_in_flight_is_cancelled_once_its_owner_has_reported(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED'")
    assert await _uncancelled(connection) == await _to_cancel(connection, [notification_id]) == []
    assert await _cancel(connection, [notification_id]) == []

    await _record(connection, notification_id)

    assert await _uncancelled(connection) == [notification_id]


async def test_a_row_that_was_sent_in_part_is_cancelled_although_it_failed(connection: Connection) -> None:
    """The chunk before the one that Novu refused went out."""
    notification_id = await _claimed(connection)
    await _record(
        connection,
        notification_id,
        status="FAILED",
        transaction_id=f"xnovu.{notification_id}",
        error_details={"code": "novu_refused", "chunks_sent": 1},
    )

    answer = await _retract(connection, [notification_id])

    row = await read(connection, notification_id)
    assert answer == {"retracted": [notification_id], "in_flight": [], "too_late": [notification_id]}
    assert (row["transaction_id"], row["chunks_sent"]) == (f"xnovu.{notification_id}", 1)
    assert await _uncancelled(connection) == [notification_id]


async def test_a_row_given_back_or_lapsed_between_its_chunks_is_cancelled(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await call(
        connection,
        "renew_claims",
        p_enterprise_id=OURS,
        p_claim_owner="owner",
        p_chunks_sent={str(notification_id): 3},
        p_lease_seconds=60,
    )
    await update(connection, [notification_id], GIVEN_BACK)

    answer = await _retract(connection, [notification_id])
    await _cancel(connection, [notification_id])

    assert answer["too_late"] == [notification_id]
    assert (await read(connection, notification_id))["transaction_id"] == f"xnovu.{notification_id}"


async def test_of_a_claim_that_lapsed_without_a_report_the_row_says_that_it_may_have_been_sent(
    connection: Connection,
) -> None:
    """The worker died between Novu's answer and its report, and a retracted row is never claimed again."""
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED', lease_expires_at = now()")
    assert ids_of(await claim(connection, [notification_id], "other")) == []

    [listed] = await _to_cancel(connection, await _uncancelled(connection))
    await _cancel(connection, [notification_id], settled=listed["settled"])

    row = await read(connection, notification_id)
    assert (listed["transaction_id"], listed["settled"]) == (f"xnovu.{OURS}.{notification_id}", False)
    assert row["transaction_id"] == f"xnovu.{notification_id}"
    assert (row["cancellation"]["cancelled"], row["cancellation"]["settled"]) == (True, False)
    assert await _uncancelled(connection) == []
    assert (await _retract(connection, [notification_id]))["too_late"] == [notification_id]


async def test_a_report_that_comes_after_the_cancellation_has_novu_asked_again(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED', lease_expires_at = now()")
    await _cancel(connection, [notification_id], settled=False)

    await _record(connection, notification_id)

    row = await read(connection, notification_id)
    assert (row["notification_status"], row["cancellation"]) == ("RETRACTED", None)
    assert [found["settled"] for found in await _to_cancel(connection, [notification_id])] == [True]


async def test_a_report_between_the_question_and_its_answer_has_novu_asked_again(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED', lease_expires_at = now()")
    [listed] = await _to_cancel(connection, [notification_id])
    await _record(connection, notification_id)

    recorded = await _cancel(connection, [notification_id], settled=listed["settled"])

    assert recorded == []
    assert await _uncancelled(connection) == [notification_id]


async def test_a_late_report_of_nothing_sent_keeps_the_cancellation(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED', lease_expires_at = now()")
    await _cancel(connection, [notification_id], settled=False)

    await _record(connection, notification_id, status="FAILED", transaction_id=None, error_details={"code": "expired"})

    assert (await read(connection, notification_id))["cancellation"]["cancelled"] is True


async def test_a_row_taken_over_is_reported_by_its_new_owner_alone(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "lease_expires_at = now()")
    await claim(connection, [notification_id], "second")
    await _retract(connection, [notification_id])

    await _record(connection, notification_id, "owner")
    assert await _uncancelled(connection) == []
    await _record(connection, notification_id, "second")

    assert await _uncancelled(connection) == [notification_id]


async def test_a_row_sent_again_after_its_cancellation_can_be_cancelled_again(connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await _record(connection, notification_id)
    await _retract(connection, [notification_id])
    await _cancel(connection, [notification_id])
    await update(connection, [notification_id], "notification_status = 'PENDING'")
    await claim(connection, [notification_id])
    await _record(connection, notification_id)

    await update(connection, [notification_id], "notification_status = 'RETRACTED'")

    assert await _uncancelled(connection) == [notification_id]


async def test_a_sent_row_without_transaction_id_stays_sent(connection: Connection) -> None:
    """Retracted, it could not say any more that it was sent."""
    notification_id = await insert_notification(connection, notification_status="SENT")

    answer = await _retract(connection, [notification_id])

    assert answer == {"retracted": [], "in_flight": [], "too_late": [notification_id]}
    assert (await read(connection, notification_id))["notification_status"] == "SENT"


@pytest.mark.parametrize(
    "malformed",
    [
        {"transaction_id": "t", "cancellation": {}},
        {"id": 1, "transaction_id": "t"},
        {"id": 1, "transaction_id": "t", "cancellation": True},
    ],
    ids=str,
)
async def test_a_malformed_cancellation_is_an_error(connection: Connection, malformed: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await call(connection, "record_cancellations", p_enterprise_id=OURS, p_cancellations=[malformed])


async def test_a_cancellation_waits_for_a_report_and_is_not_stored(project: Project, connection: Connection) -> None:
    notification_id = await _claimed(connection)
    await update(connection, [notification_id], "notification_status = 'RETRACTED', lease_expires_at = now()")
    async with project.connect() as worker, project.connect() as canceller, asyncio.TaskGroup() as tasks:
        async with worker.transaction():
            await _record(worker, notification_id)
            cancelling = tasks.create_task(_cancel(canceller, [notification_id], settled=False))
            await until_blocked(connection, canceller)

        recorded = await cancelling

    assert recorded == []
    assert await _uncancelled(connection) == [notification_id]


async def test_a_thousand_retractions_race_a_thousand_deliveries_and_every_row_tells_the_truth(
    project: Project, connection: Connection
) -> None:
    """Retractions by function and by update, and workers of which one never reports what Novu took."""
    chance = random.Random(20261125)
    ids = await insert_notifications(connection, 1000)
    batches = [ids[start : start + 20] for start in range(0, 1000, 20)]
    taken_by_novu: set[int] = set()

    async def work(owner: str, *, reports: bool) -> None:
        async with project.connect() as worker:
            for batch in chance.sample(batches, len(batches)):
                claimed = ids_of(await claim(worker, batch, owner))
                taken_by_novu.update(claimed)
                await asyncio.sleep(chance.random() / 100)
                if reports:
                    outcomes = [{"id": key, "status": "SENT", "transaction_id": f"xnovu.{key}"} for key in claimed]
                    await call(
                        worker, "record_outcomes", p_enterprise_id=OURS, p_claim_owner=owner, p_outcomes=outcomes
                    )

    async def retract() -> None:
        async with project.connect() as caller:
            for batch in chance.sample(batches, len(batches)):
                await _retract(caller, batch[:10])
                await update(caller, batch[10:], "notification_status = 'RETRACTED'")
                await asyncio.sleep(chance.random() / 100)

    await asyncio.gather(work("steady", reports=True), work("dying", reports=False), retract())
    await connection.execute("update notify.ent_notification set lease_expires_at = now() where claim_owner = 'dying'")
    for listed in await _to_cancel(connection, await _uncancelled(connection)):
        await _cancel(connection, [listed["id"]], settled=listed["settled"])

    rows = await connection.fetch("select * from notify.ent_notification")
    assert {row["notification_status"] for row in rows} == {"RETRACTED"}
    assert {row["id"] for row in rows if row["transaction_id"]} == taken_by_novu
    assert {row["id"] for row in rows if row["cancellation"]} == taken_by_novu
    assert 0 < len(taken_by_novu) < 1000
    assert {row["claim_owner"] for row in rows} == {"steady", "dying", None}
