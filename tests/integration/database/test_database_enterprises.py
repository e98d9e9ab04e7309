"""Who is known and who is served; and whom schedulers that many share have to see to."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from shared.shards import shard_of
from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    insert_notification,
    insert_rule,
    insert_template,
    insert_workflow,
)

FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
EVERY_MINUTE = {"cron": "* * * * *"}


async def _served(connection: Connection, listed: list[str] | None = None, seen: str | None = None) -> Any:
    return await call(connection, "served_enterprises", p_listed=listed, p_seen=seen)


async def _serve(connection: Connection, enterprise_id: str, served: bool) -> Any:
    return await call(connection, "serve_enterprise", p_enterprise_id=enterprise_id, p_served=served)


async def _work(connection: Connection, scheduler: str, enterprise_id: str = OURS) -> Any:
    return await call(connection, "shared_work", p_scheduler=scheduler, p_shard=shard_of(enterprise_id))


async def test_whoever_has_rows_is_found_and_stays_known(connection: Connection) -> None:
    assert (await _served(connection))["served"] == []
    sent = await insert_notification(connection)
    await insert_template(connection, "greeting", enterprise_id=THEIRS)

    found = await _served(connection)
    await connection.execute("update notify.ent_notification set notification_status = 'SENT' where id = $1", sent)

    assert found["served"] == sorted([OURS, THEIRS])
    assert (await _served(connection))["served"] == sorted([OURS, THEIRS])
    assert await _served(connection, seen=found["digest"]) == {"digest": found["digest"], "served": None}


async def test_every_kind_of_row_makes_its_enterprise_known(connection: Connection) -> None:
    await insert_notification(connection, scheduled_for=FUTURE)
    assert (await _served(connection))["served"] == [OURS]
    await insert_notification(connection, enterprise_id=THEIRS, notification_status="PROCESSING")
    assert (await _served(connection))["served"] == sorted([OURS, THEIRS])


async def test_a_rule_or_a_workflow_makes_its_enterprise_known(connection: Connection) -> None:
    workflow = await insert_workflow(connection, enterprise_id=OURS)
    assert (await _served(connection))["served"] == [OURS]
    await insert_rule(connection, workflow, enterprise_id=THEIRS, trigger_config=EVERY_MINUTE)
    assert (await _served(connection))["served"] == sorted([OURS, THEIRS])


async def test_who_is_not_to_be_served_is_left_out_of_a_list_too(connection: Connection) -> None:
    await insert_notification(connection)

    assert (await _serve(connection, OURS, False))["was"] is None
    assert (await _serve(connection, OURS, False))["was"] is False

    assert (await _served(connection))["served"] == []
    assert (await _served(connection, listed=[OURS, THEIRS]))["served"] == [THEIRS]
    assert await call(connection, "unserved_enterprises") == [OURS]
    await _serve(connection, OURS, True)
    assert (await _served(connection))["served"] == [OURS]
    assert await call(connection, "unserved_enterprises") == []


async def test_an_id_that_no_enterprise_can_have_is_refused(connection: Connection) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="1-64 of letters"):
        await _serve(connection, "not good", False)


async def test_whoever_comes_or_goes_is_rung_for(connection: Connection) -> None:
    await call(connection, "sing", p_listener_id="listener-1", p_way="postgres_changes")
    for served in (True, False):
        await _serve(connection, OURS, served)

    rings = await connection.fetch("select shard, ring from notify.doorbell where shard is not null order by id")

    assert {ring["shard"] for ring in rings} == {shard_of(OURS)}
    told = [json.loads(ring["ring"]) if isinstance(ring["ring"], str) else ring["ring"] for ring in rings]
    assert [ring["of"] for ring in told] == [[{"enterprise_id": OURS, "served": served}] for served in (True, False)]


async def test_a_shared_scheduler_sees_to_scheduled_rows_that_are_due_and_knows_the_next(
    connection: Connection,
) -> None:
    await insert_notification(connection, scheduled_for=FUTURE)
    waits = await _work(connection, "scheduled")
    await insert_notification(connection, scheduled_for=PAST)

    work = await _work(connection, "scheduled")

    assert (waits["due"], waits["next_due_at"]) == ([], FUTURE.isoformat())
    assert (work["due"], work["next_due_at"], work["has_more"]) == ([OURS], None, False)
    assert (await _work(connection, "scheduled", THEIRS))["due"] == []
    await _serve(connection, OURS, False)
    assert (await _work(connection, "scheduled"))["due"] == []


async def test_a_shared_scheduler_sees_to_rules_that_are_unread_or_due(connection: Connection) -> None:
    workflow = await insert_workflow(connection, enterprise_id=OURS)
    assert (await _work(connection, "cron"))["due"] == []
    await insert_rule(connection, workflow, trigger_config=EVERY_MINUTE)
    assert (await _work(connection, "cron"))["due"] == [OURS]

    await call(connection, "read_cron_rules", p_enterprise_id=OURS)
    assert (await _work(connection, "cron"))["due"] == [OURS], "nobody has fired them yet"
    soon = datetime.now(UTC) + timedelta(hours=1)
    for next_due_at, due in ((soon, []), (PAST, [OURS])):
        await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=[], p_next_due_at=next_due_at)
        work = await _work(connection, "cron")
        assert work["due"] == due
        assert (work["next_due_at"] is None) is bool(due)
    await _serve(connection, OURS, False)
    assert (await _work(connection, "cron"))["due"] == []


async def test_a_shared_scheduler_that_looked_leaves_its_account(connection: Connection) -> None:
    await _work(connection, "cron")

    [seen] = await call(connection, "scheduler_passes", p_enterprise_ids=[f"//{shard_of(OURS)}"])

    assert (seen["scheduler"], seen["next_due_at"]) == ("cron", None)


async def test_unaccounted_rows_are_counted_by_shard(connection: Connection) -> None:
    await insert_notification(connection, created_at=PAST, updated_at=PAST)

    ours = await call(connection, "unaccounted_in", p_shards=[shard_of(OURS)], p_older_than_seconds=60)
    theirs = await call(connection, "unaccounted_in", p_shards=[shard_of(THEIRS)], p_older_than_seconds=60)
    await _serve(connection, OURS, False)
    paused = await call(connection, "unaccounted_in", p_shards=[shard_of(OURS)], p_older_than_seconds=60)

    assert (ours["rows"], theirs["rows"], paused["rows"]) == (1, 0, 0)


async def test_an_operator_is_shown_enterprises_one_page_after_the_other(connection: Connection) -> None:
    await _serve(connection, OURS, True)
    await _serve(connection, THEIRS, False)
    await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=[], p_next_due_at=FUTURE)

    everybody = await call(connection, "list_enterprises", p_search="", p_after="", p_limit=10)
    [second] = await call(connection, "list_enterprises", p_search="", p_after=OURS, p_limit=10)
    [found] = await call(connection, "list_enterprises", p_search=OURS[-4:].upper(), p_after="", p_limit=1)

    assert [(each["enterprise_id"], each["served"]) for each in everybody] == [(OURS, True), (THEIRS, False)]
    assert second["enterprise_id"] == THEIRS
    assert (found["enterprise_id"], found["next_rule_at"]) == (OURS, FUTURE.isoformat())
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await call(connection, "list_enterprises", p_search="", p_after="", p_limit=0)


async def _remove(connection: Connection, enterprise_id: str = OURS) -> Any:
    return await call(connection, "remove_enterprise", p_enterprise_id=enterprise_id)


async def test_who_is_removed_rests_and_is_forgotten_once_nothing_of_it_is_left(connection: Connection) -> None:
    workflow = await insert_workflow(connection)
    rule = await insert_rule(connection, workflow)
    waiting = await insert_notification(connection)
    sent = await insert_notification(connection, notification_status="SENT")
    theirs = await insert_notification(connection, enterprise_id=THEIRS)
    await connection.execute("insert into notify.scheduler_pass values ($1, 'cron', now(), now())", OURS)
    await _served(connection)

    first = await _remove(connection)
    served = (await _served(connection))["served"]
    passes = await call(connection, "scheduler_passes", p_enterprise_ids=[OURS])
    await connection.execute("delete from notify.ent_notification_rule where id = $1", rule)
    await connection.execute("delete from notify.ent_notification_workflow where id = $1", workflow)
    await connection.execute("delete from notify.ent_notification where id = $1", waiting)
    last = await _remove(connection)
    known = await connection.fetch("select enterprise_id from notify.enterprise")

    assert first["left"] == {"waiting_rows": 1, "rules": 1, "workflows": 1, "templates": 0}
    assert (first["was"], first["forgotten"]) == (True, False)
    assert (served, passes) == ([THEIRS], [])
    assert (last["was"], last["forgotten"]) == (False, True)
    assert [row["enterprise_id"] for row in known] == [THEIRS]
    kept = await connection.fetch("select id from notify.ent_notification order by id")
    assert [row["id"] for row in kept] == [sent, theirs], "what was sent stays, and what is others'"


async def test_who_was_removed_and_comes_back_is_served_again(connection: Connection) -> None:
    await insert_template(connection, "greeting")
    await _remove(connection)
    assert (await _served(connection))["served"] == []

    await _serve(connection, OURS, True)

    assert (await _served(connection))["served"] == [OURS]
    await _remove(connection)
    await connection.execute("delete from notify.ent_notification_template")
    assert (await _remove(connection))["forgotten"]
    await insert_notification(connection)
    assert (await _served(connection))["served"] == [OURS], "forgotten, and a newcomer"


@pytest.mark.parametrize("enterprise_id", ["", "//3", "x" * 65, None])
async def test_what_is_no_enterprise_is_not_removed(connection: Connection, enterprise_id: str | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await call(connection, "remove_enterprise", p_enterprise_id=enterprise_id)
