"""Rows that callers ask for: found, made, and made once for each key."""

import asyncio
from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    THEIRS,
    Connection,
    Project,
    call,
    insert_notification,
    insert_workflow,
    read,
    until_blocked,
    update,
)


async def create(connection: Connection, **arguments: Any) -> dict[str, Any]:
    """A call for one recipient of ours, unless the arguments say otherwise."""
    defaults = {
        "p_enterprise_id": OURS,
        "p_workflow_key": "greet",
        "p_recipients": [RECIPIENT],
        "p_payload": {"greeting": "hello"},
    }
    answer: dict[str, Any] = await call(connection, "create_notification", **{**defaults, **arguments})
    return answer


@pytest.fixture
async def workflow_id(connection: Connection) -> int:
    return await insert_workflow(connection, workflow_key="greet", default_channels=["EMAIL", "SMS"])


async def test_a_row_is_made_published_for_the_workflow_and_its_channels(
    connection: Connection, workflow_id: int
) -> None:
    answer = await create(connection, p_overrides={"email": {}})

    row = await read(connection, answer["notification_id"])
    assert answer == {"notification_id": row["id"], "repeated": False, "due": True}
    assert (row["notification_workflow_id"], row["channels"]) == (workflow_id, ["EMAIL", "SMS"])
    assert (row["payload"], row["overrides"]) == ({"greeting": "hello"}, {"email": {}})
    assert [str(recipient) for recipient in row["recipients"]] == [RECIPIENT]
    assert (row["publish_status"], row["notification_status"], str(row["enterprise_id"])) == (
        "PUBLISH",
        "PENDING",
        OURS,
    )


async def test_a_workflow_without_channels_gives_the_columns_default(connection: Connection) -> None:
    await insert_workflow(connection, workflow_key="greet")

    answer = await create(connection)

    assert (await read(connection, answer["notification_id"]))["channels"] == ["IN_APP"]


@pytest.mark.parametrize(
    "workflow",
    [
        {"workflow_key": "other"},
        {"workflow_key": "greet", "enterprise_id": THEIRS},
        {"workflow_key": "greet", "publish_status": "DRAFT"},
        {"workflow_key": "greet", "deactivated": True},
    ],
)
async def test_only_an_active_workflow_of_the_enterprise_will_do(
    connection: Connection, workflow: dict[str, Any]
) -> None:
    await insert_workflow(connection, **workflow)

    answer = await create(connection, p_idempotency_key="key", p_request_hash="hash")

    assert answer == {"refused": "workflow_not_found"}
    assert await _rows(connection) == (0, 0)


@pytest.mark.usefixtures("workflow_id")
async def test_a_key_makes_one_row_and_refuses_another_request(connection: Connection) -> None:
    key = {"p_idempotency_key": "key", "p_request_hash": "hash"}

    first, repeated = [await create(connection, **key) for _ in range(2)]
    other = await create(connection, **{**key, "p_request_hash": "other"})

    assert repeated == {**first, "repeated": True}
    assert other == {"refused": "idempotency_conflict"}
    assert await _rows(connection) == (1, 1)


@pytest.mark.usefixtures("workflow_id")
async def test_of_two_at_once_the_second_waits_and_names_the_firsts_row(project: Project) -> None:
    key = {"p_idempotency_key": "key", "p_request_hash": "hash"}
    async with project.connect() as one, project.connect() as two, project.connect("postgres") as observer:
        transaction = one.transaction()
        await transaction.start()
        first = await create(one, **key)
        waiting = asyncio.create_task(create(two, **key))
        await until_blocked(observer, two)
        await transaction.commit()

        assert await waiting == {**first, "repeated": True}
        assert await _rows(one) == (1, 1)


@pytest.mark.usefixtures("workflow_id")
async def test_when_the_first_of_two_fails_the_second_makes_the_row(project: Project) -> None:
    key = {"p_idempotency_key": "key", "p_request_hash": "hash"}
    async with project.connect() as one, project.connect() as two, project.connect("postgres") as observer:
        transaction = one.transaction()
        await transaction.start()
        await create(one, **key)
        waiting = asyncio.create_task(create(two, **key))
        await until_blocked(observer, two)
        await transaction.rollback()

        assert (await waiting)["repeated"] is False
        assert await _rows(one) == (1, 1)


@pytest.mark.usefixtures("workflow_id")
async def test_a_dry_run_writes_nothing(connection: Connection) -> None:
    answer = await create(connection, p_idempotency_key="key", p_request_hash="hash", p_dry_run=True)

    assert answer == {"notification_id": None, "repeated": False, "due": True}
    assert await _rows(connection) == (0, 0)


@pytest.mark.usefixtures("workflow_id")
async def test_recipients_of_another_type_are_refused_and_leave_no_key(
    project: Project, connection: Connection
) -> None:
    answer = await create(connection, p_recipients=["no uuid"], p_idempotency_key="key", p_request_hash="hash")

    if project.shape == "existing":
        assert answer == {"refused": "invalid_recipients"}
        assert await _rows(connection) == (0, 0)
    else:
        assert (await read(connection, answer["notification_id"]))["recipients"] == ["no uuid"]


@pytest.mark.usefixtures("workflow_id")
async def test_a_key_goes_with_its_notification(connection: Connection) -> None:
    answer = await create(connection, p_idempotency_key="key", p_request_hash="hash")

    await connection.execute("delete from notify.ent_notification where id = $1", answer["notification_id"])

    assert await _rows(connection) == (0, 0)


async def test_a_key_for_rows_that_exist_is_noted_once(connection: Connection) -> None:
    row_id = await insert_notification(connection)
    request = {"p_enterprise_id": OURS, "p_idempotency_key": "key", "p_request_hash": "hash"}

    unknown = await call(connection, "find_trigger_request", **request)
    first, repeated = [
        await call(connection, "note_trigger_request", **request, p_notification_id=row_id) for _ in range(2)
    ]
    other = await call(connection, "find_trigger_request", **{**request, "p_request_hash": "other"})

    assert unknown is None
    assert first == {"repeated": False, "conflict": False, "notification_id": row_id}
    assert repeated == {"repeated": True, "conflict": False, "notification_id": row_id}
    assert other == {"repeated": True, "conflict": True, "notification_id": row_id}


async def test_rows_are_found_as_they_stand_and_only_those_of_the_enterprises(connection: Connection) -> None:
    due = await insert_notification(connection)
    waiting = await insert_notification(connection)
    await update(connection, [waiting], "scheduled_for = '2100-01-01T00:00:00Z'")
    draft = await insert_notification(connection, publish_status="DRAFT")
    theirs = await insert_notification(connection, enterprise_id=THEIRS)
    nobodys = await insert_notification(connection, enterprise_id=None)

    found = await call(
        connection,
        "notifications_to_trigger",
        p_enterprise_ids=[OURS],
        p_notification_ids=[nobodys, theirs, draft, waiting, due, 2**62],
    )

    common = {"enterprise_id": OURS, "status": "PENDING", "served": True}
    assert found == [
        {"id": due, **common, "active": True, "due": True, "scheduled_for": None},
        {"id": waiting, **common, "active": True, "due": False, "scheduled_for": "2100-01-01T00:00:00+00:00"},
        {"id": draft, **common, "active": False, "due": True, "scheduled_for": None},
    ]


async def test_for_every_enterprise_rows_of_any_are_found_and_of_nobody_none(connection: Connection) -> None:
    ours = await insert_notification(connection)
    theirs = await insert_notification(connection, enterprise_id=THEIRS)
    nobodys = await insert_notification(connection, enterprise_id=None)
    await call(connection, "serve_enterprise", p_enterprise_id=THEIRS, p_served=False)

    found = await call(
        connection, "notifications_to_trigger", p_enterprise_ids=None, p_notification_ids=[ours, theirs, nobodys]
    )
    of_none = await call(
        connection, "notifications_to_trigger", p_enterprise_ids=[], p_notification_ids=[ours, theirs, nobodys]
    )

    assert [(row["id"], row["served"]) for row in found] == [(ours, True), (theirs, False)]
    assert of_none == []


@pytest.mark.usefixtures("workflow_id")
async def test_of_an_enterprise_that_is_paused_no_row_is_made_and_a_repeat_is_answered_as_the_first(
    connection: Connection,
) -> None:
    async def asked(key: str, **arguments: Any) -> dict[str, Any]:
        request = {"p_enterprise_id": OURS, "p_workflow_key": "greet", "p_recipients": [RECIPIENT], "p_payload": {}}
        keyed = {"p_idempotency_key": key, "p_request_hash": "hash"}
        answer: dict[str, Any] = await call(connection, "create_served_notification", **request, **keyed, **arguments)
        return answer

    first = await asked("first")
    await call(connection, "serve_enterprise", p_enterprise_id=OURS, p_served=False)
    repeated, other, tried = await asked("first"), await asked("other"), await asked("other", p_dry_run=True)
    rows_while_paused = await _rows(connection)
    await call(connection, "serve_enterprise", p_enterprise_id=OURS, p_served=True)
    afterwards = await asked("other")

    assert repeated == {**first, "repeated": True}
    assert other == tried == {"refused": "enterprise_not_served"}
    assert rows_while_paused == (1, 1)
    assert afterwards["repeated"] is False
    assert await _rows(connection) == (2, 2)


async def _rows(connection: Connection) -> tuple[int, int]:
    """How many notifications and keys there are."""
    counted = await connection.fetchrow(
        "select (select count(*) from notify.ent_notification), (select count(*) from notify.trigger_request)"
    )
    assert counted is not None
    return counted[0], counted[1]
