"""Several workers, listeners and callers at the same rows at the same time, on a real PostgreSQL."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

from tests.integration.database.project import (
    OURS,
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


def _retract(connection: Connection, ids: list[int]) -> Any:
    return call(
        connection, "retract_notifications", p_enterprise_id=OURS, p_notification_ids=ids, p_reason="wrong price"
    )


def _record_sent(connection: Connection, ids: list[int], owner: str = "owner") -> Any:
    outcomes = [{"id": key, "status": "SENT", "transaction_id": "t"} for key in ids]
    return call(connection, "record_outcomes", p_enterprise_id=OURS, p_claim_owner=owner, p_outcomes=outcomes)


async def test_twenty_claims_of_the_same_rows_give_each_row_to_one(project: Project, connection: Connection) -> None:
    ids = await insert_notifications(connection, 100)
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(project.connect()) for _ in range(20)]

        answers = await asyncio.gather(*(claim(worker, ids, f"owner{number}") for number, worker in enumerate(workers)))

    owners = {
        notification_id: f"owner{number}" for number, answer in enumerate(answers) for notification_id in ids_of(answer)
    }
    assert Counter(key for answer in answers for key in ids_of(answer)) == Counter(ids)
    rows = await connection.fetch("select id, claim_owner, attempts from notify.ent_notification")
    assert {row["id"]: row["claim_owner"] for row in rows} == owners
    assert {row["attempts"] for row in rows} == {1}


async def test_twenty_claims_of_lapsed_rows_give_each_row_to_one(project: Project, connection: Connection) -> None:
    ids = await insert_notifications(connection, 100)
    await claim(connection, ids, "crashed")
    await update(connection, ids, "lease_expires_at = now()")
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(project.connect()) for _ in range(20)]

        answers = await asyncio.gather(*(claim(worker, ids, f"owner{number}") for number, worker in enumerate(workers)))

    assert Counter(key for answer in answers for key in ids_of(answer)) == Counter(ids)


async def test_a_claim_passes_over_rows_that_another_is_claiming(project: Project, connection: Connection) -> None:
    ids = await insert_notifications(connection, 3)
    async with project.connect() as other, other.transaction():
        await claim(other, ids[:2], "other")

        assert ids_of(await asyncio.wait_for(claim(connection, ids), timeout=60)) == ids[2:]


async def test_of_a_claim_and_a_retraction_at_once_each_row_has_one_story(
    project: Project, connection: Connection
) -> None:
    async with project.connect() as worker:
        for _ in range(20):
            ids = await insert_notifications(connection, 20)

            claimed, retracted = await asyncio.gather(claim(worker, ids[::-1]), _retract(connection, ids))

            assert retracted["retracted"] == ids
            assert retracted["in_flight"] == ids_of(claimed)


async def test_a_retraction_waits_for_a_claim_and_knows_the_row_is_in_flight(
    project: Project, connection: Connection
) -> None:
    notification_id = await insert_notification(connection)
    async with project.connect() as worker, project.connect() as caller, asyncio.TaskGroup() as tasks:
        async with worker.transaction():
            await claim(worker, [notification_id])
            retraction = tasks.create_task(_retract(caller, [notification_id]))
            await until_blocked(connection, caller)

        answer = await retraction

    assert answer == {"retracted": [notification_id], "in_flight": [notification_id], "too_late": []}


async def test_a_retraction_waits_for_an_outcome_and_knows_it_is_too_late(
    project: Project, connection: Connection
) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    async with project.connect() as worker, project.connect() as caller, asyncio.TaskGroup() as tasks:
        async with worker.transaction():
            await _record_sent(worker, [notification_id])
            retraction = tasks.create_task(_retract(caller, [notification_id]))
            await until_blocked(connection, caller)

        answer = await retraction

    row = await read(connection, notification_id)
    assert answer == {"retracted": [notification_id], "in_flight": [], "too_late": [notification_id]}
    assert (row["notification_status"], row["transaction_id"]) == ("RETRACTED", "t")


async def test_an_outcome_waits_for_a_retraction_and_keeps_it(project: Project, connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id])
    async with project.connect() as worker, project.connect() as caller, asyncio.TaskGroup() as tasks:
        async with caller.transaction():
            await _retract(caller, [notification_id])
            recording = tasks.create_task(_record_sent(worker, [notification_id]))
            await until_blocked(connection, worker)

        answer = await recording

    row = await read(connection, notification_id)
    assert answer == {"recorded": [notification_id]}
    assert (row["notification_status"], row["transaction_id"]) == ("RETRACTED", "t")


async def test_an_outcome_that_waits_for_a_new_owner_writes_nothing(project: Project, connection: Connection) -> None:
    notification_id = await insert_notification(connection)
    await claim(connection, [notification_id], "stale")
    await update(connection, [notification_id], "lease_expires_at = now()")
    async with project.connect() as stale, project.connect() as current, asyncio.TaskGroup() as tasks:
        async with current.transaction():
            await claim(current, [notification_id], "current")
            recording = tasks.create_task(_record_sent(stale, [notification_id], "stale"))
            await until_blocked(connection, stale)

        answer = await recording

    row = await read(connection, notification_id)
    assert answer == {"recorded": []}
    assert (row["notification_status"], row["claim_owner"]) == ("PROCESSING", "current")


async def test_batches_in_opposite_order_do_not_deadlock(project: Project, connection: Connection) -> None:
    async with project.connect() as worker, project.connect() as caller:
        for _ in range(10):
            ids = await insert_notifications(connection, 20)
            await claim(connection, ids)

            recorded, retracted = await asyncio.gather(_record_sent(worker, ids), _retract(caller, ids[::-1]))

            assert recorded["recorded"] == ids
            assert retracted["retracted"] == ids
            assert sorted(retracted["too_late"] + retracted["in_flight"]) == ids
