"""keep_notifications, prune_notifications: what goes, what stays and why, and in which portions."""

from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    Project,
    call,
    insert_notification,
    read,
    update,
)

LONG_AGO = "created_at = now() - interval '40 days', updated_at = now() - interval '31 days'"


async def keep(connection: Connection, days: int | None = 30, enterprise_id: str = OURS) -> Any:
    return await call(connection, "keep_notifications", p_enterprise_id=enterprise_id, p_days=days)


async def prune(connection: Connection, *, limit: int = 100, dry_run: bool = False, after: Any = None) -> Any:
    return await call(
        connection,
        "prune_notifications",
        p_enterprise_ids=None,
        p_after_at=after,
        p_after_id=0,
        p_limit=limit,
        p_dry_run=dry_run,
    )


async def old(connection: Connection, status: str = "SENT", **columns: Any) -> int:
    found = await insert_notification(connection, notification_status=status, **columns)
    await update(connection, [found], LONG_AGO)
    return found


async def ids_left(connection: Connection) -> list[int]:
    return [row["id"] for row in await connection.fetch("select id from notify.ent_notification order by id")]


async def test_who_has_no_rule_keeps_everything(connection: Connection) -> None:
    ids = [await old(connection), await old(connection, enterprise_id=THEIRS)]
    await keep(connection, 30, THEIRS)
    await keep(connection, None, THEIRS)

    answer = await prune(connection)

    assert (answer["pruned"], answer["has_more"]) == ({}, False)
    assert await ids_left(connection) == ids


async def test_what_ended_longer_ago_than_its_enterprise_keeps_it_goes(connection: Connection) -> None:
    gone = [await old(connection, status) for status in ("SENT", "FAILED", "RETRACTED")]
    kept = [
        await insert_notification(connection, notification_status="SENT"),
        await old(connection, "PENDING"),
        await old(connection, "PROCESSING"),
        await old(connection, enterprise_id=THEIRS),
    ]
    await keep(connection, 30)
    await keep(connection, 35, THEIRS)

    tried = await prune(connection, dry_run=True)
    assert await ids_left(connection) == gone + kept
    done = await prune(connection)

    assert tried["pruned"] == done["pruned"] == {OURS: 3}
    assert await ids_left(connection) == kept
    assert (await prune(connection))["pruned"] == {}


@pytest.mark.parametrize(
    ("status", "columns"),
    [
        ("RETRACTED", {"transaction_id": "t"}),
        ("RETRACTED", {"chunks_sent": 1}),
    ],
)
async def test_what_novu_is_to_be_asked_about_stays(
    connection: Connection, status: str, columns: dict[str, Any]
) -> None:
    row_id = await old(connection, status, **columns)
    await keep(connection)

    await prune(connection)
    assert await ids_left(connection) == [row_id]
    await update(connection, [row_id], "cancellation = '{}'")
    await prune(connection)

    assert await ids_left(connection) == []


@pytest.mark.parametrize("instant", ["'-infinity'", "'1969-01-01'", "'infinity'"])
async def test_an_instant_that_says_nothing_makes_no_row_old(connection: Connection, instant: str) -> None:
    row_id = await old(connection)
    await update(connection, [row_id], f"updated_at = {instant}")
    await keep(connection)

    assert (await prune(connection))["pruned"] == {}
    assert (await read(connection, row_id))["notification_status"] == "SENT"


async def test_portions_are_bounded_and_go_on_behind_those_that_stay(connection: Connection) -> None:
    stays = await old(connection, "RETRACTED", transaction_id="t")
    goes = [await old(connection) for _ in range(3)]
    await update(connection, [stays], "updated_at = now() - interval '32 days'")
    await keep(connection)

    first = await prune(connection, limit=1)
    assert (first["pruned"], first["has_more"], first["through_id"]) == ({}, True, stays)
    found = 0
    answer = first
    while answer["has_more"]:
        answer = await call(
            connection,
            "prune_notifications",
            p_enterprise_ids=[OURS],
            p_after_at=await connection.fetchval("select $1::text::timestamptz", answer["through_at"]),
            p_after_id=answer["through_id"],
            p_limit=1,
            p_dry_run=False,
        )
        found += answer["pruned"].get(OURS, 0)

    assert found == len(goes)
    assert await ids_left(connection) == [stays]


async def test_a_row_that_somebody_holds_is_left_and_not_waited_for(connection: Connection, project: Project) -> None:
    held, free = await old(connection), await old(connection)
    await keep(connection)
    async with project.connect() as other, other.transaction():
        await other.execute("select from notify.ent_notification where id = $1 for update", held)

        answer = await prune(connection)

    assert answer["pruned"] == {OURS: 1}
    assert await ids_left(connection) == [held]
    assert free not in await ids_left(connection)


async def test_what_the_project_will_not_let_go_is_told_and_the_rest_goes(separate_project: Project) -> None:
    async with separate_project.connect("postgres") as owner, separate_project.connect() as connection:
        kept, goes = await old(connection), await old(connection)
        await keep(connection)
        await owner.execute("create table public.receipt (notification_id bigint references notify.ent_notification)")
        await owner.execute("insert into public.receipt values ($1)", kept)

        answer = await prune(connection)

        assert (answer["pruned"], answer["refused"]) == ({OURS: 1}, {str(kept): "23503"})
        assert await ids_left(connection) == [kept]
        assert goes != kept


async def test_what_goes_with_a_notification_goes_with_it(connection: Connection) -> None:
    row_id = await old(connection)
    noted = {"p_idempotency_key": "k", "p_request_hash": "h", "p_notification_id": row_id}
    await call(connection, "note_trigger_request", p_enterprise_id=OURS, **noted)
    await connection.execute(
        "insert into notify.delivery_account (notification_id, enterprise_id, persons) values ($1, $2, 1)", row_id, OURS
    )
    await keep(connection)

    await prune(connection)

    assert await connection.fetchval("select count(*) from notify.trigger_request") == 0
    assert await connection.fetchval("select count(*) from notify.delivery_account") == 0


@pytest.mark.parametrize("days", [0, -1, 36501])
async def test_a_rule_of_no_days_is_refused(connection: Connection, days: int) -> None:
    with pytest.raises(Exception, match="kept for 1 to 36500 days"):
        await keep(connection, days)
