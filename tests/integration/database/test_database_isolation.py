"""No function reaches another enterprise's rows, by whatever ids it is given."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_notifications,
    insert_template,
    insert_workflow,
    read,
)

Attempt = Callable[[Connection, list[int]], Awaitable[Any]]


async def _claim(connection: Connection, ids: list[int]) -> Any:
    return (await claim(connection, ids, "owner", enterprise_id=OURS))["notifications"]


async def _record(connection: Connection, ids: list[int]) -> Any:
    outcomes = [{"id": key, "status": "SENT", "transaction_id": "t"} for key in ids]
    answer = await call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner="owner", p_outcomes=outcomes)
    return answer["recorded"]


async def _renew(connection: Connection, ids: list[int]) -> Any:
    answer = await call(
        connection,
        "renew_claims",
        p_enterprise_id=OURS,
        p_claim_owner="owner",
        p_chunks_sent={str(key): 9 for key in ids},
        p_lease_seconds=60,
    )
    return answer["held"]


async def _retract(connection: Connection, ids: list[int]) -> Any:
    answer = await call(
        connection, "retract_notifications", p_enterprise_id=OURS, p_notification_ids=ids, p_reason="no"
    )
    return answer["retracted"] + answer["in_flight"] + answer["too_late"]


async def _cancel(connection: Connection, ids: list[int]) -> Any:
    listed = await call(connection, "retractions_to_cancel", p_enterprise_id=OURS, p_notification_ids=ids)
    cancellations = [{"id": key, "transaction_id": "t", "cancellation": {}} for key in ids]
    answer = await call(connection, "record_cancellations", p_enterprise_id=OURS, p_cancellations=cancellations)
    return [*(row["id"] for row in listed), *answer["recorded"]]


@pytest.mark.parametrize("attempt", [_claim, _record, _renew, _retract])
async def test_rows_of_others_and_of_nobody_stay_untouched(connection: Connection, attempt: Attempt) -> None:
    """The owner's name is the same on purpose: the enterprise alone must keep the rows apart."""
    their_pending, their_held = await insert_notifications(connection, 2, enterprise_id=THEIRS)
    await claim(connection, [their_held], "owner", enterprise_id=THEIRS)
    nobodys = await insert_notification(
        connection, enterprise_id=None, notification_status="PROCESSING", claim_owner="owner"
    )
    ids = [their_pending, their_held, nobodys]
    before = [await read(connection, key) for key in ids]

    touched = await attempt(connection, ids)

    assert touched == []
    assert [await read(connection, key) for key in ids] == before


@pytest.mark.parametrize("attempt", [_claim, _record, _renew, _retract])
async def test_the_same_call_does_reach_our_own_rows(connection: Connection, attempt: Attempt) -> None:
    """Without this the test above could pass for any reason."""
    ours = await insert_notification(connection)
    await claim(connection, [ours])

    assert await attempt(connection, [ours])


async def test_retracted_rows_of_others_and_of_nobody_are_not_cancelled(connection: Connection) -> None:
    theirs, nobodys, ours = [
        await insert_notification(
            connection, notification_status="RETRACTED", transaction_id="t", enterprise_id=enterprise_id
        )
        for enterprise_id in (THEIRS, None, OURS)
    ]
    before = [await read(connection, key) for key in (theirs, nobodys)]

    touched = await _cancel(connection, [theirs, nobodys, ours])

    assert touched == [ours, ours]
    assert [await read(connection, key) for key in (theirs, nobodys)] == before


async def test_another_enterprises_workflow_is_not_given_out(connection: Connection) -> None:
    template_id = await insert_template(connection, "ours")
    workflow_id = await insert_workflow(
        connection, enterprise_id=THEIRS, template_overrides={"emailTemplateId": template_id}
    )
    nobodys_workflow_id = await insert_workflow(connection, enterprise_id=None)
    ids = [
        await insert_notification(connection, notification_workflow_id=key)
        for key in (workflow_id, nobodys_workflow_id)
    ]

    answer = await claim(connection, ids)

    assert ids_of(answer) == ids
    assert answer["workflows"] == {}
    assert answer["templates"] == []


async def test_due_rows_of_enterprises_not_asked_for_stay_out(connection: Connection) -> None:
    await insert_notifications(connection, 2, enterprise_id=THEIRS)
    [ours] = await insert_notifications(connection, 1)

    [page] = await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=10)

    assert page["notification_ids"] == [ours]
