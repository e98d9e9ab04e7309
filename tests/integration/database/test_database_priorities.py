"""A row's priority is its typ_notification_priority's sort_order, 1 to 5, and all who look for work are told."""

from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    Connection,
    call,
    insert_notification,
    insert_notifications,
    read,
    update,
)


async def insert_priority(connection: Connection, sort_order: int | None) -> int:
    identity: int = await connection.fetchval(
        "insert into notify.typ_notification_priority (name, code, sort_order)"
        " values (gen_random_uuid()::text, gen_random_uuid()::text, $1) returning id",
        sort_order,
    )
    return identity


async def due(connection: Connection, *, page_size: int = 100, after_id: int = 0) -> dict[str, Any]:
    [page] = await call(
        connection, "due_notifications", p_enterprise_ids=[OURS], p_page_size=page_size, p_after_id=after_id
    )
    assert isinstance(page, dict)
    return page


@pytest.mark.parametrize(
    ("sort_order", "priority"), [(1, 1), (5, 5), (3, 3), (0, None), (6, None), (40, None), (-1, None), (None, None)]
)
async def test_the_sort_order_is_the_priority_where_it_is_one(
    connection: Connection, sort_order: int | None, priority: int | None
) -> None:
    row = await insert_notification(
        connection, typ_notification_priority_id=await insert_priority(connection, sort_order)
    )

    assert (await read(connection, row))["delivery_priority"] == priority


async def test_it_follows_the_row_and_nobody_sets_it_by_hand(connection: Connection) -> None:
    row = await insert_notification(connection, delivery_priority=1)
    by_hand = (await read(connection, row))["delivery_priority"]
    priority = await insert_priority(connection, 2)

    await update(connection, [row], f"typ_notification_priority_id = {priority}")
    given = (await read(connection, row))["delivery_priority"]
    await update(connection, [row], "typ_notification_priority_id = null")

    assert (by_hand, given, (await read(connection, row))["delivery_priority"]) == (None, 2, None)


async def test_a_sweep_is_told_of_urgent_rows_first_wherever_they_stand(connection: Connection) -> None:
    letters = await insert_notifications(
        connection, 5, typ_notification_priority_id=await insert_priority(connection, 5)
    )
    urgent = await insert_notification(connection, typ_notification_priority_id=await insert_priority(connection, 1))
    second = await insert_notification(connection, typ_notification_priority_id=await insert_priority(connection, 2))
    await insert_notification(
        connection, typ_notification_priority_id=await insert_priority(connection, 1), notification_status="SENT"
    )

    page = await due(connection, page_size=3)
    following = await due(connection, page_size=10, after_id=letters[2])

    assert page["urgent"] == [[urgent, 1], [second, 2]]
    assert page["priorities"] == {str(row): 5 for row in letters[:3]}
    assert following["urgent"] == []
    assert following["priorities"][str(urgent)] == 1


async def test_rows_whose_claim_lapsed_keep_their_priority(connection: Connection) -> None:
    row = await insert_notification(
        connection,
        typ_notification_priority_id=await insert_priority(connection, 4),
        notification_status="PROCESSING",
    )

    assert (await due(connection))["priorities"] == {str(row): 4}


async def test_scheduled_rows_are_told_with_theirs(connection: Connection) -> None:
    priority = await insert_priority(connection, 1)
    row = await insert_notification(connection, typ_notification_priority_id=priority)
    other = await insert_notification(connection)
    await update(connection, [row, other], "scheduled_for = now() - interval '1 minute'")

    found = await call(connection, "due_scheduled", p_enterprise_id=OURS, p_limit=10)

    assert set(found["due"]) == {row, other}
    assert found["priorities"] == {str(row): 1}
