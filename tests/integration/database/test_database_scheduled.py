"""due_scheduled: rows scheduled for later, when their time has come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    claim,
    ids_of,
    insert_notification,
    update,
)

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


async def _due(connection: Connection, limit: int | None = 10) -> Any:
    return await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=limit)


async def test_due_rows_come_earliest_first_and_then_by_id(connection: Connection) -> None:
    late, early, same, soon, later = [
        await insert_notification(connection, scheduled_for=instant)
        for instant in (PAST + timedelta(days=1), PAST, PAST, FUTURE, FUTURE + timedelta(days=1))
    ]

    answer = await _due(connection)

    now = datetime.fromisoformat(answer.pop("now"))
    assert answer.pop("priorities") == {}
    assert answer == {"due": [early, same, late], "has_more": False, "next_due_at": FUTURE.isoformat()}
    assert now > PAST
    assert soon < later


async def test_what_is_not_pending_active_scheduled_and_ours_is_left_out(connection: Connection) -> None:
    for instant in (PAST, FUTURE):
        for columns in (
            {"publish_status": "DRAFT"},
            {"deactivated": True},
            {"notification_status": "PROCESSING"},
            {"notification_status": "SENT"},
            {"notification_status": "RETRACTED"},
            {"enterprise_id": THEIRS},
            {"enterprise_id": None},
        ):
            await insert_notification(connection, **{"scheduled_for": instant, **columns})
    await insert_notification(connection)

    answer = await _due(connection)

    assert (answer["due"], answer["has_more"], answer["next_due_at"]) == ([], False, None)


async def test_what_is_due_can_be_claimed_and_is_then_no_longer_listed(connection: Connection) -> None:
    ids = [await insert_notification(connection, scheduled_for=PAST) for _ in range(5)]

    first = await _due(connection, 3)
    claimed = ids_of(await claim(connection, first["due"]))
    second = await _due(connection, 3)

    assert (first["due"], first["has_more"]) == (ids[:3], True)
    assert claimed == ids[:3]
    assert (second["due"], second["has_more"]) == (ids[3:], False)


async def test_a_row_moved_earlier_later_or_retracted_is_followed(connection: Connection) -> None:
    notification_id = await insert_notification(connection, scheduled_for=FUTURE)
    seen = []
    for assignment in (
        "scheduled_for = '2090-01-01Z'",
        "scheduled_for = '2020-01-01Z'",
        "scheduled_for = '2110-01-01Z'",
        "notification_status = 'RETRACTED'",
    ):
        await update(connection, [notification_id], assignment)
        answer = await _due(connection)
        seen.append((answer["due"], answer["next_due_at"]))

    assert seen == [
        ([], "2090-01-01T00:00:00+00:00"),
        ([notification_id], None),
        ([], "2110-01-01T00:00:00+00:00"),
        ([], None),
    ]


async def test_each_look_is_noted(connection: Connection) -> None:
    await insert_notification(connection, scheduled_for=FUTURE)
    answers = [await _due(connection) for _ in range(2)]

    [seen] = await call(connection, "scheduler_passes", p_enterprise_ids=[OURS])

    assert seen == {
        "enterprise_id": OURS,
        "scheduler": "scheduled",
        "last_pass_at": answers[1]["now"],
        "next_due_at": FUTURE.isoformat(),
    }
    assert await call(connection, "scheduler_passes", p_enterprise_ids=[THEIRS]) == []


@pytest.mark.parametrize("limit", [0, -1, None])
async def test_a_page_without_rows_is_an_error(connection: Connection, limit: int | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _due(connection, limit)
