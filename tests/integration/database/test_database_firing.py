"""fire_rules: an instant of a rule becomes one row, whoever fires it and however often."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psutil
import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    THEIRS,
    Connection,
    Project,
    call,
    insert_rule,
    insert_workflow,
    read,
    read_rule,
    until_blocked,
    update_rule,
)

NINE = "2026-03-02T09:00:00+08:00"
TEN = "2026-03-02T10:00:00+08:00"


async def _firings(connection: Connection, *instants: str, **columns: Any) -> list[dict[str, Any]]:
    """The same instants for each of our rules, as a scheduler would fire them that has just looked."""
    answer = await call(connection, "cron_rules", p_enterprise_id=OURS)
    return [
        {
            "rule_id": rule["id"],
            "instants": instants,
            "decided_through": answer["now"],
            "expected_fired_through": rule["fired_through"],
            "error": None,
            **columns,
        }
        for rule in answer["rules"]
    ]


async def _fire(connection: Connection, firings: list[dict[str, Any]], enterprise_id: str = OURS) -> Any:
    return await call(connection, "fire_rules", p_enterprise_id=enterprise_id, p_firings=firings, p_next_due_at=None)


async def _names(connection: Connection) -> list[str]:
    return [row["name"] for row in await connection.fetch("select name from notify.ent_notification order by id")]


async def test_each_instant_becomes_a_notification_named_by_rule_and_instant(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    business_id = "00000000-0000-4000-8000-0000000000bb"
    rule_payload = {
        "recipients": [RECIPIENT],
        "payload": {"greeting": "hello"},
        "overrides": {"email": {"subject": "Hi"}},
        "channels": ["EMAIL", "SMS"],
    }
    rule_id = await insert_rule(connection, workflow_id, rule_payload=rule_payload, business_id=business_id)

    answer = await _fire(connection, await _firings(connection, NINE, TEN))

    first, second = answer.pop("notification_ids")
    row = await read(connection, first)
    assert answer == {"fired": 2, "already_fired": 0, "skipped_rules": []}
    assert row["name"] == f"rule {rule_id} at 2026-03-02T01:00:00Z"
    assert (await read(connection, second))["name"] == f"rule {rule_id} at 2026-03-02T02:00:00Z"
    assert (row["notification_rule_id"], row["notification_workflow_id"]) == (rule_id, workflow_id)
    assert (row["payload"], row["overrides"]) == (rule_payload["payload"], rule_payload["overrides"])
    assert (row["channels"], list(map(str, row["recipients"]))) == (["EMAIL", "SMS"], [RECIPIENT])
    assert (row["notification_status"], row["publish_status"], row["scheduled_for"]) == ("PENDING", "PUBLISH", None)
    assert (str(row["enterprise_id"]), str(row["business_id"])) == (OURS, business_id)


async def test_what_a_payload_leaves_out_has_its_default(connection: Connection) -> None:
    await insert_rule(
        connection, await insert_workflow(connection), rule_payload={"recipients": [RECIPIENT], "overrides": None}
    )

    answer = await _fire(connection, await _firings(connection, NINE))

    row = await read(connection, answer["notification_ids"][0])
    assert (row["payload"], row["overrides"], row["channels"]) == ({}, None, ["IN_APP"])


async def test_the_rule_is_decided_through_the_given_instant(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    [firing] = await _firings(connection, NINE)

    await _fire(connection, [firing])

    [rule] = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
    assert (rule["id"], rule["fired_through"]) == (rule_id, firing["decided_through"])


async def test_progress_goes_neither_backwards_nor_past_the_clock(connection: Connection) -> None:
    await insert_rule(connection, await insert_workflow(connection))
    decided = []
    for decided_through in ("2000-01-01Z", "2100-01-01Z"):
        [firing] = await _firings(connection, decided_through=decided_through)
        assert (await _fire(connection, [firing]))["skipped_rules"] == []
        [rule] = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
        decided.append((firing["expected_fired_through"], rule["fired_through"]))

    (before, after), (_, last) = decided
    assert after == before
    assert before < last < datetime.now(UTC).isoformat()


async def test_a_repeated_call_fires_nothing_again(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    firings = await _firings(connection, NINE)
    await _fire(connection, firings)

    again = await _fire(connection, firings)

    assert again == {"fired": 0, "already_fired": 0, "skipped_rules": [rule_id], "notification_ids": []}
    assert len(await _names(connection)) == 1


async def test_an_instant_fired_before_is_counted_and_not_fired(connection: Connection) -> None:
    await insert_rule(connection, await insert_workflow(connection))
    await _fire(connection, await _firings(connection, NINE))

    answer = await _fire(connection, await _firings(connection, NINE, TEN))

    assert (answer["fired"], answer["already_fired"]) == (1, 1)
    assert len(await _names(connection)) == 2


@pytest.mark.parametrize(
    "assignment",
    [
        'trigger_config = \'{"cron": "0 10 * * *"}\'',
        "deactivated = true",
        "publish_status = 'DELETED'",
        "trigger_type = 'EVENT'",
    ],
)
async def test_a_rule_that_changed_meanwhile_is_skipped_and_its_neighbour_fires(
    connection: Connection, assignment: str
) -> None:
    workflow_id = await insert_workflow(connection)
    changed, neighbour = [await insert_rule(connection, workflow_id) for _ in range(2)]
    firings = await _firings(connection, NINE)

    await update_rule(connection, changed, assignment)

    answer = await _fire(connection, firings)
    assert (answer["fired"], answer["skipped_rules"]) == (1, [changed])
    assert await _names(connection) == [f"rule {neighbour} at 2026-03-02T01:00:00Z"]


async def test_a_rule_whose_workflow_was_paused_meanwhile_does_not_fire(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    firings = await _firings(connection, NINE)

    await connection.execute("update notify.ent_notification_workflow set deactivated = true")

    assert (await _fire(connection, firings))["skipped_rules"] == [rule_id]
    assert await _names(connection) == []


async def test_a_rule_deleted_meanwhile_is_skipped(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    firings = await _firings(connection, NINE)

    await connection.execute("delete from notify.ent_notification_rule")

    assert (await _fire(connection, firings))["skipped_rules"] == [rule_id]


async def test_another_enterprises_rule_does_not_fire(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))

    answer = await _fire(connection, await _firings(connection, NINE), THEIRS)

    assert answer["skipped_rules"] == [rule_id]
    assert await _names(connection) == []


UNUSABLE: list[tuple[Any, str]] = [
    (None, "rule_payload must be an object"),
    ([], "rule_payload must be an object"),
    ({}, "rule_payload.recipients must be"),
    ({"recipients": "x"}, "rule_payload.recipients must be"),
    ({"recipients": []}, "rule_payload.recipients must be"),
    ({"recipients": [RECIPIENT, 1]}, "rule_payload.recipients must be"),
    ({"recipients": [RECIPIENT, " "]}, "rule_payload.recipients must be"),
    ({"recipients": [[RECIPIENT]]}, "rule_payload.recipients must be"),
    ({"recipients": [RECIPIENT], "payload": []}, "rule_payload.payload must be"),
    ({"recipients": [RECIPIENT], "payload": None}, "rule_payload.payload must be"),
    ({"recipients": [RECIPIENT], "overrides": "x"}, "rule_payload.overrides must be"),
    ({"recipients": [RECIPIENT], "channels": "EMAIL"}, "rule_payload.recipients or rule_payload.channels holds"),
    ({"recipients": [RECIPIENT], "channels": ["FAX"]}, "rule_payload.recipients or rule_payload.channels holds"),
]


@pytest.mark.parametrize(("rule_payload", "error"), UNUSABLE, ids=[str(payload) for payload, _ in UNUSABLE])
async def test_a_rule_whose_payload_cannot_be_sent_says_why_and_its_neighbour_fires(
    connection: Connection, rule_payload: Any, error: str
) -> None:
    workflow_id = await insert_workflow(connection)
    unusable = await insert_rule(connection, workflow_id, rule_payload=rule_payload)
    neighbour = await insert_rule(connection, workflow_id)

    answer = await _fire(connection, await _firings(connection, NINE))

    row = await read_rule(connection, unusable)
    assert row["schedule_error"].startswith(error)
    assert RECIPIENT not in row["schedule_error"]
    assert (answer["fired"], answer["skipped_rules"]) == (1, [])
    assert await _names(connection) == [f"rule {neighbour} at 2026-03-02T01:00:00Z"]
    assert (await _fire(connection, await _firings(connection)))["skipped_rules"] == []
    assert await read_rule(connection, unusable) == row, "a pass without instants takes nothing back"


async def test_recipients_that_the_column_does_not_take_are_an_error_of_their_rule(
    project: Project, connection: Connection
) -> None:
    rule_id = await insert_rule(
        connection, await insert_workflow(connection), rule_payload={"recipients": ["subscriber-1"]}
    )

    answer = await _fire(connection, await _firings(connection, NINE))

    error = (await read_rule(connection, rule_id))["schedule_error"]
    if project.shape == "existing":
        assert (answer["fired"], error) == (
            0,
            "rule_payload.recipients or rule_payload.channels holds what no notification can",
        )
    else:
        assert (answer["fired"], error) == (1, None)


async def test_what_a_projects_own_check_refuses_stops_no_other_rule(separate_project: Project) -> None:
    async with separate_project.connect("postgres") as owner, separate_project.connect() as connection:
        await owner.execute(
            "alter table notify.ent_notification add constraint no_greeting check (payload ->> 'greeting' <> 'rude')"
        )
        workflow_id = await insert_workflow(connection)
        rude = await insert_rule(
            connection, workflow_id, rule_payload={"recipients": [RECIPIENT], "payload": {"greeting": "rude"}}
        )
        await insert_rule(connection, workflow_id)

        answer = await _fire(connection, await _firings(connection, NINE))
        await _fire(connection, await _firings(connection))
        error = (await read_rule(connection, rude))["schedule_error"]
        await owner.execute("alter table notify.ent_notification drop constraint no_greeting")
        await _fire(connection, await _firings(connection, TEN))

        assert (answer["fired"], answer["skipped_rules"]) == (1, [])
        assert error == "the database refused the notification: SQLSTATE 23514"
        assert (await read_rule(connection, rude))["schedule_error"] is None


async def test_the_schedulers_error_is_written_and_taken_back(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    await _fire(connection, await _firings(connection, error="unknown zone"))
    first = await read_rule(connection, rule_id)

    await _fire(connection, await _firings(connection))

    assert first["schedule_error"] == "unknown zone"
    assert (await read_rule(connection, rule_id))["schedule_error"] is None


async def test_firing_does_not_change_the_published_row_of_the_rule(connection: Connection) -> None:
    """A thousand rules that fire in one minute must not ring the doorbell a thousand times more."""
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    before = await connection.fetchval("select ctid from notify.ent_notification_rule where id = $1", rule_id)

    await _fire(connection, await _firings(connection, NINE))
    await _fire(connection, await _firings(connection, TEN))

    after = await connection.fetchval("select ctid from notify.ent_notification_rule where id = $1", rule_id)
    assert after == before


async def test_a_pass_is_noted_even_when_nothing_fires(connection: Connection) -> None:
    await call(
        connection,
        "fire_rules",
        p_enterprise_id=OURS,
        p_firings=[],
        p_next_due_at=datetime(2100, 1, 1, tzinfo=UTC),
    )

    [seen] = await call(connection, "scheduler_passes", p_enterprise_ids=[OURS, THEIRS])
    assert (seen["enterprise_id"], seen["scheduler"]) == (OURS, "cron")
    assert seen["next_due_at"] == "2100-01-01T00:00:00+00:00"
    assert datetime.now(UTC) - datetime.fromisoformat(seen["last_pass_at"]) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "malformed",
    [
        [{"rule_id": None, "decided_through": NINE, "expected_fired_through": NINE}],
        [{"rule_id": 1, "decided_through": None, "expected_fired_through": NINE}],
        [{"rule_id": 1, "decided_through": NINE}],
        [{"rule_id": 1, "decided_through": NINE, "expected_fired_through": NINE}] * 2,
    ],
    ids=["no rule", "not decided", "nothing expected", "a rule twice"],
)
async def test_a_malformed_firing_is_an_error(connection: Connection, malformed: list[dict[str, Any]]) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _fire(connection, malformed)


async def test_of_twenty_schedulers_at_once_one_fires_each_rule(project: Project, connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    for _ in range(20):
        await insert_rule(connection, workflow_id)
    firings = await _firings(connection, NINE, TEN)
    async with AsyncExitStack() as stack:
        schedulers = [await stack.enter_async_context(project.connect()) for _ in range(20)]

        answers = await asyncio.gather(*(_fire(scheduler, firings[::-1]) for scheduler in schedulers))

    assert sorted(answer["fired"] for answer in answers) == [0] * 19 + [40]
    assert len(set(await _names(connection))) == 40


async def test_a_scheduler_that_waits_for_a_change_sees_it(project: Project, connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    firings = await _firings(connection, NINE)
    async with project.connect() as author, project.connect() as scheduler, asyncio.TaskGroup() as tasks:
        async with author.transaction():
            await update_rule(author, rule_id, "deactivated = true")
            firing = tasks.create_task(_fire(scheduler, firings))
            await until_blocked(connection, scheduler)

        answer = await firing

    assert answer["skipped_rules"] == [rule_id]


async def test_a_second_scheduler_that_waits_for_the_first_fires_nothing(
    project: Project, connection: Connection
) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    firings = await _firings(connection, NINE)
    async with project.connect() as first, project.connect() as second, asyncio.TaskGroup() as tasks:
        async with first.transaction():
            await _fire(first, firings)
            firing = tasks.create_task(_fire(second, [{**firings[0], "instants": [NINE, TEN]}]))
            await until_blocked(connection, second)

        answer = await firing

    assert (answer["fired"], answer["skipped_rules"]) == (0, [rule_id])
    assert len(await _names(connection)) == 1


async def test_a_thousand_rules_fire_in_one_call_within_three_seconds_of_the_processor(connection: Connection) -> None:
    await insert_rule(connection, await insert_workflow(connection))
    await connection.execute(
        "insert into notify.ent_notification_rule"
        " (name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status, enterprise_id)"
        " select 'copy ' || i, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status,"
        " enterprise_id from notify.ent_notification_rule, generate_series(2, 1000) as i"
    )
    firings = await _firings(connection, NINE)

    backend = psutil.Process(connection.get_server_pid())
    before = backend.cpu_times()
    answer = await _fire(connection, firings)
    after = backend.cpu_times()

    assert answer["fired"] == len(answer["notification_ids"]) == 1000
    assert after.user + after.system - before.user - before.system < 3, "of others the machine has enough, too"
