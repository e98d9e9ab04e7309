"""due_notifications and beat_canary: what the listener reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    TOMORROW,
    Connection,
    Project,
    call,
    claim,
    insert_notification,
    insert_notifications,
    update,
)

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


async def _due(
    connection: Connection, enterprise_ids: list[str] | None = None, *, page_size: int = 10, after_id: int = 0
) -> Any:
    return await call(
        connection,
        "due_notifications",
        p_enterprise_ids=[OURS] if enterprise_ids is None else enterprise_ids,
        p_page_size=page_size,
        p_after_id=after_id,
    )


async def test_pending_scheduled_and_lapsed_rows_come_in_id_order(connection: Connection) -> None:
    lapsed = await insert_notification(connection, notification_status="PROCESSING", lease_expires_at=PAST)
    plain = await insert_notification(connection)
    scheduled = await insert_notification(connection, scheduled_for=PAST)
    never_leased = await insert_notification(connection, notification_status="PROCESSING")

    assert await _due(connection) == [
        {
            "enterprise_id": OURS,
            "notification_ids": [lapsed, plain, scheduled, never_leased],
            "pending": 2,
            "expired": 2,
            "has_more": False,
            "next_scheduled_at": None,
            "uncancelled": [],
            "priorities": {},
            "urgent": [],
        }
    ]


async def test_rows_that_are_not_due_or_held_are_left_out_with_their_enterprise(connection: Connection) -> None:
    for columns in (
        {"publish_status": "DRAFT"},
        {"deactivated": True},
        {"scheduled_for": FUTURE, "notification_status": "PROCESSING", "lease_expires_at": TOMORROW},
        {"notification_status": "SENT"},
        {"notification_status": "FAILED"},
        {"notification_status": "RETRACTED"},
        {"notification_status": "PROCESSING", "lease_expires_at": TOMORROW},
        {"notification_status": "PROCESSING", "lease_expires_at": PAST, "scheduled_for": FUTURE},
        {"notification_status": "PROCESSING", "lease_expires_at": PAST, "deactivated": True},
        {"enterprise_id": None},
        {"enterprise_id": THEIRS},
    ):
        await insert_notification(connection, **columns)

    assert await _due(connection) == []


async def test_what_is_due_is_what_can_be_claimed(connection: Connection) -> None:
    for status in ("PENDING", "PROCESSING", "SENT", "FAILED", "RETRACTED"):
        for publish_status in ("NONE", "DRAFT", "DISCARD", "PUBLISH", "DELETED"):
            for deactivated in (False, True):
                for instant in (None, PAST, FUTURE):
                    await insert_notification(
                        connection,
                        notification_status=status,
                        publish_status=publish_status,
                        deactivated=deactivated,
                        scheduled_for=instant,
                        lease_expires_at=instant,
                    )
    [page] = await _due(connection, page_size=1000)
    every_id = [row["id"] for row in await connection.fetch("select id from notify.ent_notification order by id")]

    answer = await claim(connection, every_id)

    assert page["notification_ids"] == [notification["id"] for notification in answer["notifications"]]
    assert (page["pending"], page["expired"]) == (2, 2)


async def test_a_flood_of_one_enterprise_does_not_hide_the_row_of_another(connection: Connection) -> None:
    ours = await insert_notifications(connection, 7)
    [theirs] = await insert_notifications(connection, 1, enterprise_id=THEIRS)

    pages = await _due(connection, [THEIRS, OURS, OURS, "nobody"], page_size=5)

    assert [(page["enterprise_id"], page["notification_ids"], page["has_more"]) for page in pages] == [
        (OURS, ours[:5], True),
        (THEIRS, [theirs], False),
    ]
    assert pages[0]["pending"] == 5


async def test_pages_follow_one_another(connection: Connection) -> None:
    ids = [
        await insert_notification(
            connection, scheduled_for=PAST if number % 2 else None, lease_expires_at=PAST if number % 3 else None
        )
        for number in range(10)
    ]
    await update(connection, ids[::3], "notification_status = 'PROCESSING'")

    pages, after_id = [], 0
    while page := await _due(connection, page_size=4, after_id=after_id):
        pages.append(page[0])
        after_id = page[0]["notification_ids"][-1]

    assert [identity for page in pages for identity in page["notification_ids"]] == ids
    assert [page["has_more"] for page in pages] == [True, True, False]


async def test_a_page_exactly_full_has_no_more(connection: Connection) -> None:
    await insert_notifications(connection, 3)

    [page] = await _due(connection, page_size=3)

    assert page["has_more"] is False


async def test_the_first_page_says_when_the_next_row_falls_due(connection: Connection) -> None:
    soonest = FUTURE - timedelta(days=1)
    await insert_notification(connection, scheduled_for=FUTURE)
    await insert_notification(connection, scheduled_for=soonest)
    for columns in (
        {"publish_status": "DRAFT"},
        {"deactivated": True},
        {"notification_status": "SENT"},
        {"enterprise_id": None},
        {"enterprise_id": THEIRS},
    ):
        await insert_notification(connection, **{"scheduled_for": soonest - timedelta(days=1), **columns})

    [page] = await _due(connection)

    assert page == {
        "enterprise_id": OURS,
        "notification_ids": [],
        "pending": 0,
        "expired": 0,
        "has_more": False,
        "next_scheduled_at": soonest.isoformat(),
        "uncancelled": [],
        "priorities": {},
        "urgent": [],
    }
    assert await _due(connection, after_id=1) == []


async def test_retracted_rows_that_reached_novu_come_with_the_first_page(connection: Connection) -> None:
    retracted = {"notification_status": "RETRACTED"}
    uncancelled = [
        await insert_notification(connection, **{**retracted, **columns})
        for columns in (
            {"transaction_id": "t"},
            {"transaction_id": "t", "deactivated": True, "publish_status": "DELETED"},
            {"chunks_sent": 1},
            {"lease_expires_at": PAST},
        )
    ]
    for columns in (
        {},
        {"transaction_id": "t", "cancellation": {}},
        {"transaction_id": "t", "lease_expires_at": TOMORROW},
        {"transaction_id": "t", "notification_status": "SENT"},
        {"transaction_id": "t", "enterprise_id": None},
        {"transaction_id": "t", "enterprise_id": THEIRS},
    ):
        await insert_notification(connection, **{**retracted, **columns})

    [page] = await _due(connection)
    [short_page] = await _due(connection, page_size=2)

    assert (page["uncancelled"], page["notification_ids"], page["has_more"]) == (uncancelled, [], False)
    assert short_page["uncancelled"] == uncancelled[:2]
    assert await _due(connection, after_id=1) == []


async def test_a_row_that_commits_late_is_found(project: Project, connection: Connection) -> None:
    async with project.connect() as slow:
        transaction = slow.transaction()
        await transaction.start()
        late = await insert_notification(slow)
        early = await insert_notification(connection)
        assert (await _due(connection))[0]["notification_ids"] == [early]
        await claim(connection, [early])

        await transaction.commit()

    assert late < early
    assert (await _due(connection))[0]["notification_ids"] == [late]


async def test_nobody_asked_nothing_answered(connection: Connection) -> None:
    await insert_notification(connection)

    assert await _due(connection, []) == []


@pytest.mark.parametrize("page_size", [0, -1, None])
async def test_a_page_without_rows_is_an_error(connection: Connection, page_size: int | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await call(connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=page_size)


async def test_each_listener_has_its_own_canary(connection: Connection) -> None:
    beats = [await call(connection, "beat_canary", p_listener_id=listener) for listener in ("a", "a", "b", "a")]

    assert beats == [1, 2, 1, 3]
    assert await connection.fetchval(
        "select beaten_at > created from (select now() - interval '1 minute' as created)"
        " as started, notify.listener_canary where listener_id = 'a'"
    )
