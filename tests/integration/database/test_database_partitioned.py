"""infra/supabase/partitioned: notifications of many enterprises in partitions, along the way of a row. All the other
tests of the database on it: `make test-partitioned`.
"""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from stack.migrations import MigrationFailed
from stack.postgres import SUPERUSER
from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    Connection,
    Project,
    call,
    claim,
    ids_of,
    insert_notification,
    insert_notifications,
    insert_rule,
    insert_workflow,
    partition,
    read,
    update,
)

ENTERPRISES = [f"enterprise-{number}" for number in range(40)]
PARTITION_OF = "select tableoid::regclass::text from notify.ent_notification where id = $1"


@pytest.fixture
async def rows(partitioned: Project) -> AsyncIterator[Connection]:
    async with partitioned.connect() as connection:
        yield connection


async def sent(rows: Connection, enterprise_id: str, ids: list[int]) -> Any:
    outcomes = [{"id": each, "status": "SENT", "transaction_id": f"t{each}"} for each in ids]
    return await call(
        rows, "record_outcomes", p_enterprise_id=enterprise_id, p_claim_owner="owner", p_outcomes=outcomes
    )


async def due(rows: Connection) -> dict[str, list[int]]:
    pages = await call(rows, "due_notifications", p_enterprise_ids=ENTERPRISES, p_page_size=100)
    return {page["enterprise_id"]: page["notification_ids"] for page in pages}


async def test_what_is_written_rings_is_swept_claimed_once_recorded_and_pruned(rows: Connection) -> None:
    await call(rows, "sing", p_listener_id="listener", p_way="postgres_changes")
    await rows.execute("delete from notify.doorbell")
    ids = {each: await insert_notifications(rows, 2, enterprise_id=each) for each in ENTERPRISES}

    rung = {
        ring["enterprise_id"] for [of] in await rows.fetch("select ring -> 'of' from notify.doorbell") for ring in of
    }
    swept = await due(rows)
    claimed = [ids_of(await claim(rows, ids[each], enterprise_id=each)) for each in ENTERPRISES]
    claimed_again = [ids_of(await claim(rows, ids[each], "other", enterprise_id=each)) for each in ENTERPRISES]
    recorded = [(await sent(rows, each, ids[each]))["recorded"] for each in ENTERPRISES]
    await call(rows, "keep_notifications", p_enterprise_id=ENTERPRISES[0], p_days=30)
    await update(
        rows, ids[ENTERPRISES[0]], "created_at = now() - interval '40 days', updated_at = now() - interval '31 days'"
    )
    pruned = await call(
        rows, "prune_notifications",
        p_enterprise_ids=None, p_after_at=None, p_after_id=0, p_limit=100, p_dry_run=False,
    )  # fmt: skip

    assert rung == set(ENTERPRISES)
    assert swept == ids
    assert (claimed, claimed_again, recorded) == ([*ids.values()], [[]] * len(ids), [*ids.values()])
    assert pruned["pruned"] == {ENTERPRISES[0]: 2}
    partitions = {(await rows.fetchval(PARTITION_OF, of[0])) for of in list(ids.values())[1:]}
    assert len(partitions) > 8, "and all this was in many partitions"


async def test_a_rule_fires_an_instant_once(rows: Connection) -> None:
    rule_id = await insert_rule(rows, await insert_workflow(rows))
    instant = await rows.fetchval("select now()::text")
    through = await rows.fetchval("select schedule_changed_at::text from notify.ent_notification_rule")
    firing = {"rule_id": rule_id, "instants": [instant], "decided_through": through, "expected_fired_through": through}

    answers = [
        await call(rows, "fire_rules", p_enterprise_id=OURS, p_firings=[firing], p_next_due_at=None) for _ in range(2)
    ]

    assert [(answer["fired"], answer["already_fired"]) for answer in answers] == [(1, 0), (0, 1)]


async def test_a_person_is_erased_and_what_belongs_to_a_row_goes_with_it(rows: Connection) -> None:
    notification_id = await insert_notification(rows)
    await rows.execute(
        "insert into notify.delivery_account (notification_id, enterprise_id, persons) values ($1, $2, 1)",
        notification_id, OURS,
    )  # fmt: skip

    await call(
        rows, "erase_from_notifications",
        p_enterprise_id=OURS, p_subscriber_id=RECIPIENT, p_terms=[], p_after_id=0, p_limit=100, p_dry_run=False,
    )  # fmt: skip
    erased = await read(rows, notification_id)
    await rows.execute("delete from notify.ent_notification where id = $1", notification_id)

    assert (erased["notification_status"], RECIPIENT in erased["recipients"]) == ("RETRACTED", False)
    assert await rows.fetchval("select count(*) from notify.delivery_account") == 0


async def test_nobody_gets_at_a_partition_beside_the_table(rows: Connection) -> None:
    notification_id = await insert_notification(rows)
    partition_of_it = await rows.fetchval(PARTITION_OF, notification_id)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rows.fetch(f"select from {partition_of_it}")


async def test_rows_that_are_there_are_kept_with_their_ids_and_it_may_be_applied_again(
    separate_project: Project,
) -> None:
    async with separate_project.connect() as connection:
        ids = await insert_notifications(connection, 3)
        if separate_project.shape == "existing":
            with pytest.raises(MigrationFailed, match="enterprise_id is not text"):
                await partition(separate_project)
            return
        await partition(separate_project)
        await connection.execute(
            "reset role; delete from supabase_migrations.schema_migrations where version > '20261129110'"
        )
        await partition(separate_project)
        new = await insert_notification(connection)
        found = [row["id"] for row in await connection.fetch("select id from notify.ent_notification order by id")]

    assert found == [*ids, new]


async def test_rows_of_nobody_are_refused_before_anything_is_changed(separate_project: Project) -> None:
    async with separate_project.connect(SUPERUSER) as connection:
        await insert_notification(connection, enterprise_id=None)
        with pytest.raises(MigrationFailed):
            await partition(separate_project)
        kind = await connection.fetchval("select relkind from pg_class where oid = 'notify.ent_notification'::regclass")

    assert kind == b"r"
