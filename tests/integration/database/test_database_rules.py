"""cron_rules: which rules there are, and from when on their instants count."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.database.project import (
    EXISTING_PROJECT,
    OURS,
    THEIRS,
    Connection,
    Project,
    call,
    insert_rule,
    insert_workflow,
    migrate,
    read_rule,
    update_rule,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def _rules(connection: Connection, enterprise_id: str = OURS) -> dict[int, dict[str, Any]]:
    answer = await call(connection, "cron_rules", p_enterprise_id=enterprise_id)
    return {rule["id"]: rule for rule in answer["rules"]}


async def _fired_through(connection: Connection, rule_id: int) -> datetime:
    return datetime.fromisoformat((await _rules(connection))[rule_id]["fired_through"])


async def _age(connection: Connection, rule_id: int) -> None:
    """As if the rule had last been changed and had last fired long ago, and were in error since."""
    await update_rule(connection, rule_id, "schedule_changed_at = '2020-01-01Z', schedule_error = 'old'")
    await connection.execute(
        "insert into notify.rule_progress (rule_id, fired_through) values ($1, $2)", rule_id, LONG_AGO
    )


async def test_a_rule_comes_with_its_configuration_from_its_insertion_on(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    rule_id = await insert_rule(connection, workflow_id, trigger_config={"cron": "@daily", "enabled": False})

    answer = await call(connection, "cron_rules", p_enterprise_id=OURS)

    [rule] = answer["rules"]
    inserted_at = (await read_rule(connection, rule_id))["updated_at"]
    assert (rule["id"], rule["schedule_error"]) == (rule_id, None)
    assert rule["trigger_config"] == {"cron": "@daily", "enabled": False}
    assert datetime.fromisoformat(rule["fired_through"]) == inserted_at
    assert datetime.fromisoformat(answer["now"]) > inserted_at


async def test_only_active_cron_rules_of_active_workflows_are_rules(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    paused = await insert_workflow(connection, deactivated=True)
    draft = await insert_workflow(connection, publish_status="DRAFT")
    theirs = await insert_workflow(connection, enterprise_id=THEIRS)
    active = [
        await insert_rule(connection, workflow_id),
        await insert_rule(connection, workflow_id, trigger_type="cron"),
    ]
    for columns in (
        {"deactivated": True},
        {"publish_status": "DRAFT"},
        {"publish_status": "DELETED"},
        {"trigger_type": "EVENT"},
        {"trigger_type": None},
        {"enterprise_id": THEIRS},
        {"enterprise_id": None},
    ):
        await insert_rule(connection, workflow_id, **columns)
    for other_workflow in (paused, draft, theirs):
        await insert_rule(connection, other_workflow)

    assert list(await _rules(connection)) == active


@pytest.mark.parametrize(
    "assignment",
    [
        'trigger_config = \'{"cron": "0 10 * * *"}\'',
        "trigger_type = 'cron'",
        "deactivated = true",
        "publish_status = 'DRAFT'",
        "notification_workflow_id = (select max(id) from notify.ent_notification_workflow)",
    ],
)
async def test_a_change_of_schedule_starts_the_rule_anew(connection: Connection, assignment: str) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    await insert_workflow(connection)
    await _age(connection, rule_id)
    assert await _fired_through(connection, rule_id) == LONG_AGO

    await update_rule(connection, rule_id, assignment)

    row = await read_rule(connection, rule_id)
    assert row["schedule_changed_at"] == row["updated_at"] > LONG_AGO
    assert row["schedule_error"] is None


async def test_a_pause_is_no_outage(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    await _age(connection, rule_id)
    await update_rule(connection, rule_id, "deactivated = true, updated_at = now()")

    await update_rule(connection, rule_id, "deactivated = false")

    assert await _fired_through(connection, rule_id) == (await read_rule(connection, rule_id))["updated_at"]


async def test_a_pause_of_the_workflow_is_a_pause_of_its_rules(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    rule_id = await insert_rule(connection, workflow_id)
    other = await insert_rule(connection, await insert_workflow(connection))
    for key in (rule_id, other):
        await _age(connection, key)

    for deactivated in (True, False):
        await connection.execute(
            "update notify.ent_notification_workflow set deactivated = $1 where id = $2", deactivated, workflow_id
        )

    assert await _fired_through(connection, rule_id) > LONG_AGO
    assert await _fired_through(connection, other) == LONG_AGO


async def test_other_changes_of_a_workflow_leave_its_rules_alone(connection: Connection) -> None:
    workflow_id = await insert_workflow(connection)
    rule_id = await insert_rule(connection, workflow_id)
    before = await read_rule(connection, rule_id)

    await connection.execute(
        "update notify.ent_notification_workflow set description = 'new', deactivated = false where id = $1",
        workflow_id,
    )

    assert await read_rule(connection, rule_id) == before


async def test_an_unchanged_schedule_goes_on_whatever_else_is_written(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    await _age(connection, rule_id)

    await update_rule(connection, rule_id, "name = 'renamed', trigger_config = trigger_config, deactivated = false")

    row = await read_rule(connection, rule_id)
    assert await _fired_through(connection, rule_id) == LONG_AGO
    assert row["schedule_error"] == "old"


async def test_a_new_payload_takes_the_error_back_and_keeps_the_progress(connection: Connection) -> None:
    rule_id = await insert_rule(connection, await insert_workflow(connection))
    await _age(connection, rule_id)

    await update_rule(connection, rule_id, """rule_payload = '{"recipients": ["x"]}'""")

    assert await _fired_through(connection, rule_id) == LONG_AGO
    assert (await read_rule(connection, rule_id))["schedule_error"] is None


async def test_an_existing_projects_rule_counts_from_the_first_look(unmigrated: Project, owner: Connection) -> None:
    await owner.execute(EXISTING_PROJECT)
    await owner.execute(
        "insert into notify.ent_notification_rule"
        " (name, notification_workflow_id, trigger_type, trigger_config, publish_status, enterprise_id)"
        """ values ('daily', 1, 'CRON', '{"cron": "0 9 * * *"}', 'PUBLISH', '00000000-0000-4000-8000-0000000000aa')"""
    )
    await migrate(unmigrated)

    async with unmigrated.connect() as connection:
        first, second = [
            await call(connection, "cron_rules", p_enterprise_id="00000000-0000-4000-8000-0000000000aa")
            for _ in range(2)
        ]

    assert first["rules"][0]["fired_through"] == first["now"] < second["now"]
    assert second["rules"] == first["rules"]
