"""record_outcomes: how a claim ends, and who may end it."""

from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    GIVEN_BACK,
    OURS,
    Connection,
    call,
    claim,
    insert_notification,
    insert_notifications,
    read,
    update,
)


async def _record(connection: Connection, outcomes: list[dict[str, Any]], owner: str = "owner") -> list[int]:
    answer = await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner=owner, p_outcomes=outcomes)
    recorded: list[int] = answer["recorded"]
    return recorded


def _sent(notification_id: int, transaction_id: str = "transaction") -> dict[str, Any]:
    return {"id": notification_id, "status": "SENT", "transaction_id": transaction_id}


def _failed(notification_id: int, **error_details: Any) -> dict[str, Any]:
    return {"id": notification_id, "status": "FAILED", "error_details": error_details}


async def test_a_batch_of_outcomes_is_written_and_ends_the_claims(connection: Connection) -> None:
    sent, failed = await insert_notifications(connection, 2)
    await claim(connection, [sent, failed])
    await claim(connection, [sent, failed])

    recorded = await _record(connection, [_failed(failed, code="template_invalid", attempts=99), _sent(sent)])

    sent_row, failed_row = await read(connection, sent), await read(connection, failed)
    assert recorded == [sent, failed]
    assert (sent_row["notification_status"], sent_row["transaction_id"]) == ("SENT", "transaction")
    assert sent_row["error_details"] is None
    assert failed_row["notification_status"] == "FAILED"
    last_attempt = failed_row["error_details"].pop("lastAttempt")
    assert datetime.fromisoformat(last_attempt) == failed_row["updated_at"]
    assert failed_row["error_details"] == {"code": "template_invalid", "attempts": 2}
    assert (sent_row["lease_expires_at"], failed_row["lease_expires_at"]) == (None, None)


async def test_a_repeated_call_answers_the_same_and_writes_nothing(connection: Connection) -> None:
    sent, failed = await insert_notifications(connection, 2)
    await claim(connection, [sent, failed])
    outcomes = [_sent(sent), _failed(failed, code="expired")]
    first = await _record(connection, outcomes)
    before = [await read(connection, key) for key in (sent, failed)]

    second = await _record(connection, outcomes)

    assert first == second == [sent, failed]
    assert [await read(connection, key) for key in (sent, failed)] == before


async def test_a_different_outcome_after_the_first_is_not_recorded(connection: Connection) -> None:
    sent, failed = await insert_notifications(connection, 2)
    await claim(connection, [sent, failed])
    await _record(connection, [_sent(sent), _failed(failed, code="template_invalid")])

    recorded = await _record(connection, [_failed(sent, code="gave_up"), _failed(failed, code="gave_up")])

    assert recorded == []
    assert (await read(connection, sent))["notification_status"] == "SENT"
    assert (await read(connection, failed))["error_details"]["code"] == "template_invalid"


async def test_a_stale_owner_writes_nothing(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id], "stale")
    await update(connection, [notification_id], "lease_expires_at = now()")
    await claim(connection, [notification_id], "current")
    before = await read(connection, notification_id)

    recorded = await _record(connection, [_sent(notification_id)], "stale")

    assert recorded == []
    assert await read(connection, notification_id) == before
    assert await _record(connection, [_sent(notification_id)], "current") == [notification_id]


async def test_an_owner_whose_lease_lapsed_but_whom_nobody_followed_still_records(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await update(connection, [notification_id], "lease_expires_at = now()")

    assert await _record(connection, [_sent(notification_id)]) == [notification_id]


async def test_a_row_that_was_given_back_takes_no_outcome(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await update(connection, [notification_id], GIVEN_BACK)

    assert await _record(connection, [_sent(notification_id)]) == []


async def test_a_row_retracted_on_the_way_stays_retracted_and_says_that_it_was_sent(connection: Connection) -> None:
    sent, failed = await insert_notifications(connection, 2)
    await claim(connection, [sent, failed])
    await update(connection, [sent, failed], "notification_status = 'RETRACTED'")

    recorded = await _record(connection, [_sent(sent), _failed(failed, code="expired")])

    sent_row, failed_row = await read(connection, sent), await read(connection, failed)
    assert recorded == [sent]
    assert (sent_row["notification_status"], sent_row["transaction_id"]) == ("RETRACTED", "transaction")
    assert (failed_row["notification_status"], failed_row["error_details"]) == ("RETRACTED", None)
    assert (sent_row["lease_expires_at"], failed_row["lease_expires_at"]) == (None, None)


async def test_an_outcome_after_a_second_life_clears_the_first_failure(connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    await _record(connection, [_failed(notification_id, code="novu_refused")])
    await update(connection, [notification_id], "notification_status = 'PENDING'")
    await claim(connection, [notification_id], "second")

    await _record(connection, [_sent(notification_id)], "second")

    row = await read(connection, notification_id)
    assert (row["notification_status"], row["error_details"], row["attempts"]) == ("SENT", None, 2)


@pytest.mark.parametrize(
    "outcome",
    [
        {"id": 1, "status": "PENDING"},
        {"id": 1, "status": "sent", "transaction_id": "t"},
        {"id": 1, "status": "SENT"},
        {"id": 1, "status": "FAILED"},
        {"id": 1, "status": "FAILED", "error_details": "text"},
        {"id": 1},
        {"status": "SENT", "transaction_id": "t"},
    ],
    ids=str,
)
async def test_a_malformed_outcome_is_an_error_and_nothing_of_its_batch_is_written(
    connection: Connection, outcome: dict[str, Any]
) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])

    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _record(connection, [_sent(notification_id), outcome])

    assert (await read(connection, notification_id))["notification_status"] == "PROCESSING"
