"""retract_notifications: what can be withdrawn, and what was too late."""

from typing import Any

from tests.integration.database.project import (
    OURS,
    Connection,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_notifications,
    read,
)


async def _retract(connection: Connection, ids: list[int], reason: str | None = "wrong price") -> Any:
    return await call(
        connection, "retract_notifications", p_enterprise_id=OURS, p_notification_ids=ids, p_reason=reason
    )


async def test_each_status_has_its_answer(connection: Connection) -> None:
    pending, failed, processing, sent, draft = [
        await insert_notification(connection),
        await insert_notification(connection, notification_status="FAILED"),
        await insert_notification(connection),
        await insert_notification(connection, notification_status="SENT", transaction_id="t"),
        await insert_notification(connection, publish_status="DRAFT"),
    ]
    await claim(connection, [processing])

    answer = await _retract(connection, [pending, failed, processing, sent, draft])

    assert answer == {
        "retracted": [pending, failed, processing, sent, draft],
        "in_flight": [processing],
        "too_late": [sent],
    }
    row = await read(connection, pending)
    assert (row["notification_status"], row["retraction_reason"]) == ("RETRACTED", "wrong price")
    assert row["retracted_at"] == row["updated_at"]
    sent_row = await read(connection, sent)
    assert (sent_row["notification_status"], sent_row["transaction_id"]) == ("RETRACTED", "t")


async def test_retracting_again_answers_the_same_and_writes_nothing(connection: Connection) -> None:
    idle, in_flight = await insert_notifications(connection, 2)
    await claim(connection, [in_flight])
    first = await _retract(connection, [idle, in_flight], "first")
    before = [await read(connection, key) for key in (idle, in_flight)]

    second = await _retract(connection, [idle, in_flight], "second")

    assert first == second == {"retracted": [idle, in_flight], "in_flight": [in_flight], "too_late": []}
    assert [await read(connection, key) for key in (idle, in_flight)] == before


async def test_a_retracted_row_is_in_flight_until_its_owner_reports(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await _retract(connection, [notification_id])
    outcome = {"id": notification_id, "status": "SENT", "transaction_id": "t"}
    await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=[outcome])

    assert await _retract(connection, [notification_id]) == {
        "retracted": [notification_id],
        "in_flight": [],
        "too_late": [notification_id],
    }


async def test_a_retracted_row_is_never_claimed(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await _retract(connection, [notification_id])

    assert ids_of(await claim(connection, [notification_id])) == []
