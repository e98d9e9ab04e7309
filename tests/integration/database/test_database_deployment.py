"""A look at a deployment that serves everybody: it tells what there is to tell, and is complete in that."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    insert_notification,
    insert_rule,
    insert_workflow,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
WRITTEN_LONG_AGO = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
HOUR = timedelta(hours=1)
PAUSED = "00000000-0000-4000-8000-00000000000f"


def listener(component_id: str = "l", **members: Any) -> dict[str, Any]:
    report = {"listener": {"enterprises": {}, **members}}
    return {"component_id": component_id, "component": "listener", "report": report}


EVERYBODYS = listener(serves_everybody=True, shards=[*range(16)])


async def look(connection: Connection, *reports: dict[str, Any], seen: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = await call(
        connection,
        "look_at_deployment",
        p_reports=list(reports),
        p_max_age_seconds=60,
        p_recent_seconds=60,
        p_failures=5,
        p_enterprise_ids=[],
        p_seen=seen,
    )
    del answer["heartbeats"]
    return answer


async def know(connection: Connection, *enterprise_ids: str) -> None:
    await connection.execute("insert into notify.enterprise (enterprise_id) select unnest($1::text[])", enterprise_ids)


@pytest.fixture
async def busy(connection: Connection) -> Connection:
    """Rows of every kind that health tells of, of two enterprises and of one that is paused."""
    await know(connection, OURS, THEIRS, PAUSED)
    await call(connection, "serve_enterprise", p_enterprise_id=PAUSED, p_served=False)
    for enterprise_id in (OURS, PAUSED):
        await insert_notification(connection, enterprise_id=enterprise_id, **WRITTEN_LONG_AGO)
        await insert_notification(connection, enterprise_id=enterprise_id, scheduled_for=LONG_AGO, **WRITTEN_LONG_AGO)
        await insert_notification(
            connection, enterprise_id=enterprise_id, notification_status="PROCESSING", attempts=4, processed_at=LONG_AGO
        )
        failed = await insert_notification(connection, enterprise_id=enterprise_id, notification_status="FAILED")
        await connection.execute(
            'update notify.ent_notification set error_details = \'{"code": "expired"}\' where id = $1', failed
        )
        await connection.execute(
            "insert into notify.scheduler_pass values ($1, 'cron', now(), now() - interval '1 hour')", enterprise_id
        )
        workflow = await insert_workflow(connection, enterprise_id=enterprise_id)
        rule = await insert_rule(connection, workflow, enterprise_id=enterprise_id)
        await connection.execute(
            "update notify.ent_notification_rule set schedule_error = 'no such zone' where id = $1", rule
        )
    await insert_notification(connection, enterprise_id=THEIRS, notification_status="SENT")
    await insert_notification(
        connection, enterprise_id=THEIRS, notification_status="PROCESSING", lease_expires_at=datetime.now(UTC) + HOUR
    )
    doubtful = await insert_notification(connection, enterprise_id=THEIRS, notification_status="PROCESSING")
    await connection.execute(
        "update notify.ent_notification set in_doubt_since = now() - interval '1 hour' where id = $1", doubtful
    )
    await connection.execute(
        "insert into notify.scheduler_pass values ($1, 'scheduled', now(), now() + interval '1 hour')", THEIRS
    )
    return connection


async def test_of_lists_it_says_what_the_look_of_earlier_releases_says(busy: Connection) -> None:
    named = listener(enterprises={OURS: {"state": "subscribed"}, THEIRS: {"state": "failed"}})

    new = await look(busy, named)
    old = await call(busy, "look_at_health", p_reports=[], p_max_age_seconds=60, p_recent_seconds=60, p_failures=5)

    del old["heartbeats"]
    assert new.pop("everybody") is None
    assert undated(new) == undated(old)


async def test_of_few_enterprises_it_says_everything_whoever_names_them(busy: Connection) -> None:
    named = listener(enterprises={OURS: {"state": "subscribed"}, THEIRS: {"state": "failed"}})
    of_list = await look(busy, named)

    seen = await look(busy, EVERYBODYS)

    assert seen.pop("everybody")["served"] == sorted([OURS, THEIRS])
    del of_list["everybody"]
    assert undated(seen) == undated(of_list)


async def test_of_the_latest_failures_it_is_said_which_template_refused(connection: Connection) -> None:
    await know(connection, OURS)
    said: list[tuple[object, str | None]] = [("order-shipped", "order-shipped"), (7, None), ("x" * 200, "x" * 100)]
    ids = [
        await insert_notification(
            connection,
            enterprise_id=OURS,
            notification_status="FAILED",
            error_details={"code": "template_undefined_variable", "template": template},
        )
        for template, _ in said
    ]
    ids.append(await insert_notification(connection, enterprise_id=OURS, notification_status="FAILED"))

    failures = (await look(connection, EVERYBODYS))["failures"]

    told = {each["notification_id"]: each.get("template") for each in failures}
    assert told == dict(zip(ids, [*(template for _, template in said), None], strict=True))


async def test_of_many_it_says_the_same_of_those_of_whom_there_is_something_to_say(busy: Connection) -> None:
    named = listener(enterprises={OURS: {"state": "subscribed"}, THEIRS: {"state": "failed"}})
    of_list = undated(await look(busy, named))
    await know(busy, *(f"quiet-{number}" for number in range(150)))

    seen = undated(await look(busy, EVERYBODYS))

    assert len(seen["everybody"]["served"]) == 152
    assert PAUSED not in seen["everybody"]["served"]
    said = [entry for entry in of_list["due"] if entry["rows"]]
    assert {entry["enterprise_id"]: entry["rows"] for entry in said} == {OURS: 3, THEIRS: 1}
    assert [entry for entry in seen["due"] if entry["rows"]] == said
    assert [entry["enterprise_id"] for entry in seen["failures"]] == [OURS]
    assert {entry["code"] for entry in seen["retried"]} == {"worker_lost", "in_doubt"}
    assert {entry["enterprise_id"] for entry in seen["rule_errors"]} == {OURS}
    for part in ("recent", "failures", "retried", "delivery", "in_hands", "rule_errors", "lost", "latest_faults"):
        assert seen[part] == of_list[part], part
    assert [(each["enterprise_id"], each["scheduler"]) for each in seen["passes"]] == [(OURS, "cron")]
    assert seen["passes"][0]["overdue_seconds"] == pytest.approx(60, abs=1), "minutes"


async def test_who_is_served_is_told_once_until_it_changes(connection: Connection) -> None:
    await know(connection, OURS, THEIRS)

    first = (await look(connection, EVERYBODYS))["everybody"]
    again = (await look(connection, EVERYBODYS, seen=first["digest"]))["everybody"]
    await call(connection, "serve_enterprise", p_enterprise_id=THEIRS, p_served=False)
    changed = (await look(connection, EVERYBODYS, seen=first["digest"]))["everybody"]

    assert again == {"digest": first["digest"], "served": None}
    assert changed["served"] == [OURS]


async def test_beside_a_listener_of_an_earlier_release_those_that_it_names_are_looked_at_too(busy: Connection) -> None:
    await know(busy, *(f"quiet-{number}" for number in range(150)))
    await busy.execute("delete from notify.enterprise where enterprise_id = $1", OURS)
    old = listener("old", enterprises={OURS: {"state": "subscribed"}})

    seen = await look(busy, EVERYBODYS, old)

    assert OURS not in seen["everybody"]["served"]
    assert {entry["enterprise_id"] for entry in seen["due"] if entry["rows"]} == {OURS, THEIRS}


async def test_of_a_listener_of_everybody_that_is_lost_the_shards_are_told(connection: Connection) -> None:
    await know(connection, OURS)
    await look(connection, listener("lost", serves_everybody=True, shards=[3, 11]))
    await connection.execute("update notify.component_heartbeat set reported_at = now() - interval '2 minutes'")

    [lost] = (await look(connection, EVERYBODYS))["lost"]

    assert (lost["component_id"], lost["enterprise_ids"], lost["shards"]) == ("lost", [], [3, 11])


async def test_what_is_to_come_is_nobody_s_business_yet(connection: Connection) -> None:
    await know(connection, OURS, *(f"quiet-{number}" for number in range(150)))
    await insert_notification(connection, scheduled_for=datetime(2100, 1, 1, tzinfo=UTC))
    await connection.execute(
        "insert into notify.scheduler_pass values ($1, 'cron', now(), now() + interval '1 h')", OURS
    )

    seen = await look(connection, EVERYBODYS)

    assert (seen["due"], seen["passes"], seen["failures"], seen["retried"]) == ([], [], [], [])


def undated(answer: dict[str, Any]) -> dict[str, Any]:
    """Ages to the minute: two looks are not at the same instant."""
    rounded = json.loads(json.dumps(answer), parse_float=lambda text: round(float(text) / 60))
    assert isinstance(rounded, dict)
    return rounded
