"""A row that names no channel is for its workflow's default channels; one that does keeps what it says."""

from datetime import UTC, datetime

import pytest

from tests.integration.database.project import (
    OURS,
    RECIPIENT,
    THEIRS,
    Connection,
    call,
    insert_notification,
    insert_rule,
    insert_workflow,
    read,
)


@pytest.mark.parametrize(
    ("defaults", "given", "found"),
    [
        (["EMAIL", "SMS"], None, ["EMAIL", "SMS"]),
        (["EMAIL"], ["PUSH"], ["PUSH"]),
        (["EMAIL"], [], []),
        ([], None, ["IN_APP"]),
        (None, None, ["IN_APP"]),
    ],
)
async def test_channels_are_the_rows_own_or_its_workflows(
    connection: Connection, defaults: list[str] | None, given: list[str] | None, found: list[str]
) -> None:
    workflow = await insert_workflow(connection, default_channels=defaults)
    own = {} if given is None else {"channels": given}

    row = await read(connection, await insert_notification(connection, notification_workflow_id=workflow, **own))

    assert row["channels"] == found


async def test_another_enterprises_workflow_says_nothing(connection: Connection) -> None:
    theirs = await insert_workflow(connection, default_channels=["SMS"], enterprise_id=THEIRS)

    row = await read(connection, await insert_notification(connection, notification_workflow_id=theirs))
    without = await read(connection, await insert_notification(connection))

    assert row["enterprise_id"] != THEIRS
    assert row["channels"] == without["channels"] == ["IN_APP"]


@pytest.mark.parametrize(("said", "found"), [({}, ["SMS"]), ({"channels": ["CHAT"]}, ["CHAT"])])
async def test_a_rules_rows_are_for_its_workflows_channels_unless_it_names_its_own(
    connection: Connection, said: dict[str, list[str]], found: list[str]
) -> None:
    workflow = await insert_workflow(connection, default_channels=["SMS"])
    rule = await insert_rule(connection, workflow, rule_payload={"recipients": [RECIPIENT], **said})
    [read_rule] = (await call(connection, "cron_rules", p_enterprise_id=OURS))["rules"]
    now = datetime.now(UTC).isoformat()
    firing = {
        "rule_id": rule,
        "instants": [now],
        "decided_through": now,
        "expected_fired_through": read_rule["fired_through"],
        "error": None,
    }

    fired = await call(connection, "fire_rules", p_enterprise_id=OURS, p_firings=[firing], p_next_due_at=None)

    [notification_id] = fired["notification_ids"]
    assert (await read(connection, notification_id))["channels"] == found
