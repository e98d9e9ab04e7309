"""Heartbeats, and what health reads of the tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import (
    OURS,
    THEIRS,
    TOMORROW,
    Connection,
    call,
    claim,
    insert_notification,
    insert_rule,
    insert_workflow,
    update,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
WRITTEN_LONG_AGO = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
REPORT = {"component_id": "listener-1", "listener": {"enterprises": {}}}
STARTED_AT = "2026-11-28T10:00:00+00:00"


async def _publish(connection: Connection, component_id: str = "listener-1", component: str = "listener") -> Any:
    return await call(
        connection, "publish_heartbeat", p_component_id=component_id, p_component=component, p_report=REPORT
    )


async def _heartbeats(connection: Connection, max_age_seconds: float = 60) -> Any:
    return await call(connection, "heartbeats", p_max_age_seconds=max_age_seconds)


async def _observe(connection: Connection, *enterprise_ids: str, recent_seconds: float = 60, failures: int = 5) -> Any:
    return await call(
        connection,
        "health_observation",
        p_enterprise_ids=list(enterprise_ids or (OURS,)),
        p_recent_seconds=recent_seconds,
        p_failures=failures,
    )


async def test_a_component_has_one_heartbeat_dated_by_the_database(connection: Connection) -> None:
    first = await _publish(connection)
    second = await _publish(connection)

    assert datetime.fromisoformat(first["reported_at"]) < datetime.fromisoformat(second["reported_at"])
    assert await _heartbeats(connection) == [REPORT | second]


async def test_old_heartbeats_are_not_read_and_those_of_yesterday_are_cleared_away(connection: Connection) -> None:
    await _publish(connection, "old")
    await _publish(connection, "ancient")
    await connection.execute(
        "update notify.component_heartbeat set reported_at = reported_at - case component_id"
        " when 'old' then interval '1 hour' else interval '2 days' end"
    )

    assert await _heartbeats(connection) == []
    await _publish(connection, "new")

    kept = await connection.fetch("select component_id from notify.component_heartbeat order by 1")
    assert [row["component_id"] for row in kept] == ["new", "old"]


async def test_a_heartbeat_that_is_withdrawn_is_gone_and_withdrawing_twice_is_harmless(connection: Connection) -> None:
    await _publish(connection)

    first = await call(connection, "withdraw_heartbeat", p_component_id="listener-1")
    second = await call(connection, "withdraw_heartbeat", p_component_id="listener-1")

    assert (first, second) == ({"withdrawn": True}, {"withdrawn": False})
    assert await _heartbeats(connection) == []


async def test_only_known_components_report(connection: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await _publish(connection, component="stranger")


async def test_a_look_publishes_reads_and_observes_the_enterprises_that_listeners_serve(connection: Connection) -> None:
    await insert_notification(connection, **WRITTEN_LONG_AGO)
    await _publish(connection, "elsewhere")
    serving = {"listener": {"enterprises": {OURS: {"state": "subscribed"}}}}
    worker = {"listener": None, "worker": {"polling": True}}

    seen = await call(
        connection,
        "look_at_health",
        p_reports=[
            {"component_id": "l", "component": "listener", "report": serving},
            {"component_id": "w", "component": "worker", "report": worker},
        ],
        p_max_age_seconds=60,
        p_recent_seconds=60,
        p_failures=5,
    )

    assert [{**each, "reported_at": None} for each in seen.pop("heartbeats")] == [
        {**report, "reported_at": None} for report in (REPORT, serving, worker)
    ]
    assert [row["enterprise_id"] for row in seen["due"]] == [OURS]
    assert seen.pop("retried") == []
    assert seen.pop("delivery") == {"rows": 0, "states": {}, "unheard_seconds": 0}
    assert [seen.pop(name) for name in ("lost", "paused", "in_hands", "rule_errors")] == [[], [], [], []]
    assert seen.pop("latest_faults") == {}
    assert seen == await _observe(connection) | {"due": [{**seen["due"][0]}]}


async def _look(connection: Connection, *expected: str, max_age_seconds: float = 60) -> Any:
    return await call(
        connection,
        "look_at_health",
        p_reports=[],
        p_max_age_seconds=max_age_seconds,
        p_recent_seconds=60,
        p_failures=5,
        p_enterprise_ids=list(expected),
    )


async def test_who_ended_without_a_word_is_told_with_whom_it_heard_and_its_rows_are_counted(
    connection: Connection,
) -> None:
    await insert_notification(connection, **WRITTEN_LONG_AGO)
    report = {
        "process": {"pid": 4711, "host": "main-1", "started_at": STARTED_AT},
        "listener": {"enterprises": {OURS: {}}},
    }
    for component_id in ("silent", "withdrawn", "ancient"):
        await call(
            connection, "publish_heartbeat", p_component_id=component_id, p_component="listener", p_report=report
        )
    await connection.execute(
        "update notify.component_heartbeat set reported_at = reported_at - case component_id"
        " when 'ancient' then interval '2 days' else interval '70 seconds' end"
    )
    await call(connection, "withdraw_heartbeat", p_component_id="withdrawn")

    seen = await _look(connection)

    [lost] = seen["lost"]
    assert 70 <= lost.pop("silent_seconds") < 100
    assert {**lost, "reported_at": None} == {
        "component_id": "silent",
        "component": "listener",
        "host": "main-1",
        "pid": 4711,
        "started_at": STARTED_AT,
        "reported_at": None,
        "enterprise_ids": [OURS],
        "shards": [],
    }
    assert [(row["enterprise_id"], row["rows"]) for row in seen["due"]] == [(OURS, 1)]
    assert (await _look(connection, max_age_seconds=1000))["lost"] == []


async def test_enterprises_that_are_expected_are_looked_at_but_no_paused_ones(connection: Connection) -> None:
    await call(connection, "serve_enterprise", p_enterprise_id=THEIRS, p_served=False)

    seen = await _look(connection, OURS, THEIRS)

    assert ([row["enterprise_id"] for row in seen["due"]], seen["paused"]) == ([OURS], [THEIRS])


async def test_rows_in_hands_are_counted_since_their_claim_or_first_fault(connection: Connection) -> None:
    now = datetime.now(UTC)
    held = {"notification_status": "PROCESSING", "lease_expires_at": TOMORROW, "claim_owner": "worker-1"}
    await insert_notification(connection, **held, processed_at=now - timedelta(seconds=20))
    faulty = await insert_notification(connection, **held, processed_at=now)
    await connection.execute(
        "insert into notify.delivery_fault (notification_id, enterprise_id, claim_owner, code, faults, since, last_at)"
        " values ($1, $2, 'worker-1', 'novu_fault', 3, $3, $4)",
        faulty,
        OURS,
        now - timedelta(seconds=40),
        now - timedelta(seconds=5),
    )
    await insert_notification(connection, **{**held, "lease_expires_at": LONG_AGO})
    await insert_notification(connection, **held, deactivated=True)

    seen = await _look(connection, OURS, THEIRS)

    [in_hands] = seen["in_hands"]
    assert (in_hands["enterprise_id"], in_hands["rows"]) == (OURS, 2)
    assert 40 <= in_hands["oldest_age_seconds"] < 60
    assert list(seen["latest_faults"]) == ["novu_fault"]
    assert abs(datetime.fromisoformat(seen["latest_faults"]["novu_fault"]) - now) < timedelta(seconds=6)


async def test_rules_that_cannot_fire_are_told_of_while_they_are_active(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    for error, deactivated in (("61 is no minute", False), ("another", False), ("of no matter", True), (None, False)):
        rule_id = await insert_rule(connection, workflow_id, deactivated=deactivated)
        await connection.execute(
            "update notify.ent_notification_rule set schedule_error = $1 where id = $2", error, rule_id
        )

    [wrong] = (await _look(connection, OURS, THEIRS))["rule_errors"]

    assert (wrong["enterprise_id"], wrong["rules"], wrong["error"]) == (OURS, 2, "61 is no minute")


async def test_due_rows_in_nobodys_hands_are_counted_for_each_enterprise(connection: Connection) -> None:
    await insert_notification(connection, **WRITTEN_LONG_AGO)
    await insert_notification(connection, **WRITTEN_LONG_AGO, scheduled_for=LONG_AGO)
    await insert_notification(
        connection, **WRITTEN_LONG_AGO, notification_status="PROCESSING", lease_expires_at=LONG_AGO
    )
    await insert_notification(connection, enterprise_id=THEIRS, scheduled_for=FUTURE)
    await insert_notification(connection, enterprise_id=THEIRS, publish_status="DRAFT")
    await insert_notification(
        connection, enterprise_id=THEIRS, notification_status="PROCESSING", lease_expires_at=TOMORROW
    )

    due = {row["enterprise_id"]: row for row in (await _observe(connection, OURS, THEIRS))["due"]}

    assert due[OURS]["rows"] == 3
    assert abs(due[OURS]["oldest_age_seconds"] - (datetime.now(UTC) - LONG_AGO).total_seconds()) < 60
    assert due[THEIRS] == {"enterprise_id": THEIRS, "rows": 0, "oldest_age_seconds": 0}


async def test_latency_runs_from_the_instant_a_row_was_due_until_it_was_sent(connection: Connection) -> None:
    now = datetime.now(UTC)
    sent = {"notification_status": "SENT", "attempts": 1, "updated_at": now}
    await insert_notification(connection, **sent, created_at=now - timedelta(seconds=2))
    await insert_notification(connection, **sent, created_at=LONG_AGO, scheduled_for=now - timedelta(seconds=4))
    await insert_notification(connection, **{**sent, "attempts": 2}, created_at=LONG_AGO)
    await insert_notification(connection, notification_status="FAILED", updated_at=now)
    await insert_notification(connection, notification_status="SENT", **WRITTEN_LONG_AGO)

    recent = (await _observe(connection))["recent"]

    assert recent == {
        "seconds": 60,
        "sent": 3,
        "failed": 1,
        "latency_p50_seconds": pytest.approx(3.0),
        "latency_p95_seconds": pytest.approx(3.9),
    }


async def test_without_anything_sent_there_is_no_latency(connection: Connection) -> None:
    recent = (await _observe(connection))["recent"]

    assert (recent["sent"], recent["latency_p50_seconds"], recent["latency_p95_seconds"]) == (0, None, None)


async def test_the_latest_failures_of_the_enterprises_asked_for_are_named(connection: Connection) -> None:
    now = datetime.now(UTC)
    ids = [
        await insert_notification(
            connection,
            notification_status="FAILED",
            updated_at=now - timedelta(seconds=age),
            error_details={"code": "novu_refused"},
        )
        for age in (3, 2, 1)
    ]
    await insert_notification(connection, notification_status="FAILED", updated_at=now, enterprise_id=THEIRS)

    failures = (await _observe(connection, failures=2))["failures"]

    assert [(each["notification_id"], each["code"]) for each in failures] == [
        (ids[2], "novu_refused"),
        (ids[1], "novu_refused"),
    ]


async def test_a_pass_is_overdue_only_after_its_instant(connection: Connection) -> None:
    await connection.execute(
        "insert into notify.scheduler_pass (enterprise_id, scheduler, last_pass_at, next_due_at) values"
        " ($1, 'cron', now(), now() - interval '40 seconds'), ($1, 'scheduled', now(), null),"
        " ($2, 'cron', now(), now() + interval '1 hour')",
        OURS,
        THEIRS,
    )

    passes = (await _observe(connection, OURS, THEIRS))["passes"]

    overdue = {(each["enterprise_id"], each["scheduler"]): each["overdue_seconds"] for each in passes}
    assert overdue == {(OURS, "cron"): pytest.approx(40, abs=5), (OURS, "scheduled"): 0, (THEIRS, "cron"): 0}


@pytest.mark.parametrize(("recent_seconds", "failures"), [(0, 5), (-1, 5), (60, -1)])
async def test_senseless_arguments_are_refused(connection: Connection, recent_seconds: float, failures: int) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _observe(connection, recent_seconds=recent_seconds, failures=failures)


async def _note(connection: Connection, ids: list[int], code: str = "internal_error", owner: str = "owner") -> Any:
    answer = await call(
        connection,
        "note_delivery_faults",
        p_enterprise_id=OURS,
        p_claim_owner=owner,
        p_notification_ids=ids,
        p_code=code,
    )
    return answer["faults"]


async def _retried(connection: Connection) -> list[tuple[str, str, int]]:
    answer = await call(connection, "retried_deliveries", p_enterprise_ids=[OURS, THEIRS])
    assert all(0 <= each["oldest_age_seconds"] < 60 for each in answer)
    return [(each["enterprise_id"], each["code"], each["rows"]) for each in answer]


async def test_faults_of_deliveries_are_counted_while_the_rows_are_held_and_forgotten_once_settled(
    connection: Connection,
) -> None:
    first, second, theirs = [
        await insert_notification(connection, enterprise_id=enterprise_id) for enterprise_id in (OURS, OURS, THEIRS)
    ]
    unclaimed = await _note(connection, [first])
    await claim(connection, [first, second])

    assert unclaimed == {}
    assert await _note(connection, [first, second, theirs]) == {str(first): 1, str(second): 1}
    assert await _note(connection, [first]) == {str(first): 2}
    assert await _note(connection, [first], "novu_fault") == {str(first): 1}
    assert await _note(connection, [first]) == {str(first): 1}, "faults of Novu's do not count towards another code"
    assert await _note(connection, [first], "novu_fault") == {str(first): 1}
    assert await _note(connection, [first], owner="another") == {}
    assert await _retried(connection) == [(OURS, "internal_error", 1), (OURS, "novu_fault", 1)]

    await update(connection, [first], "notification_status = 'SENT'")
    await update(connection, [second], "claim_owner = 'another'")
    assert await _retried(connection) == []
    assert await connection.fetchval("select count(*) from notify.delivery_fault") == 0


async def test_rows_that_their_workers_die_of_show_though_nobody_told_of_a_fault(connection: Connection) -> None:
    often, fresh, odd = [await insert_notification(connection) for _ in range(3)]
    await claim(connection, [often, fresh, odd])
    await update(connection, [often], "attempts = 4, processed_at = now() - interval '6 seconds'")
    await update(connection, [fresh], "attempts = 4")
    await update(connection, [odd], "attempts = 4, processed_at = '-infinity'")

    assert await _retried(connection) == [(OURS, "worker_lost", 1)]


async def test_rows_in_doubt_show_as_that_however_often_they_were_put_off(connection: Connection) -> None:
    put_off = await insert_notification(connection)
    await claim(connection, [put_off])
    await update(
        connection, [put_off], "attempts = 9, processed_at = now() - interval '6 seconds', in_doubt_since = now()"
    )
    held = await _retried(connection)
    await update(connection, [put_off], "claim_owner = null")

    assert held == [(OURS, "worker_lost", 1)]
    assert await _retried(connection) == [(OURS, "in_doubt", 1)]
