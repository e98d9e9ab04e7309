"""What files read and write: an enterprise's changes as a whole, and only on what was seen."""

from typing import Any

from tests.integration.database.project import OURS, THEIRS, Connection, call, insert_workflow

TEMPLATE = {
    "template_key": "mail",
    "name": "mail",
    "description": None,
    "channel_type": "EMAIL",
    "subject_template": "s",
    "body_template": "b",
    "variables_description": {"a": [1]},
    "category": None,
    "publish_status": "PUBLISH",
    "deactivated": False,
}
WORKFLOW = {
    "workflow_key": "order",
    "name": "order",
    "description": None,
    "workflow_type": "DYNAMIC",
    "default_channels": ["EMAIL", "SMS"],
    "payload_schema": None,
    "control_schema": {},
    "category": None,
    "template_overrides": {"emailTemplateId": "mail"},
    "publish_status": "PUBLISH",
    "deactivated": False,
}
RULE = {
    "name": "nightly",
    "description": None,
    "workflow": "order",
    "trigger_type": "CRON",
    "trigger_config": {"cron": "0 9 * * *"},
    "rule_payload": {"recipients": ["a"]},
    "publish_status": "PUBLISH",
    "deactivated": False,
}


async def rows(connection: Connection, kind: str, *enterprise_ids: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = await call(
        connection,
        "file_rows",
        p_enterprise_ids=list(enterprise_ids) or None,
        p_kind=kind,
        p_whole=True,
        p_after_id=0,
        p_limit=100,
    )
    return answer


def change(kind: str, columns: dict[str, Any], row_id: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "id": row_id, "columns": columns}


async def seen(connection: Connection) -> str:
    return str(await call(connection, "files_seen", p_enterprise_id=OURS))


async def apply(connection: Connection, *changes: dict[str, Any], p_seen: str | None = None) -> Any:
    p_seen = p_seen or await seen(connection)
    return await call(connection, "apply_files", p_enterprise_id=OURS, p_seen=p_seen, p_changes=list(changes))


async def test_what_is_written_is_read_as_the_same(connection: Connection) -> None:
    applied = await apply(connection, change("template", TEMPLATE), change("workflow", WORKFLOW), change("rule", RULE))

    [template], [workflow], [rule] = [await rows(connection, kind, OURS) for kind in ("template", "workflow", "rule")]
    assert applied == {"ids": [template["id"], workflow["id"], rule["id"]]}
    assert {name: template[name] for name in TEMPLATE} == {**TEMPLATE, "variables_description": '{"a": [1]}'}
    assert {name: workflow[name] for name in WORKFLOW} == {
        **WORKFLOW,
        "control_schema": "{}",
        "template_overrides": '{"emailTemplateId": "mail"}',
    }
    assert (rule["workflow"], rule["trigger_config"]) == ("order", '{"cron": "0 9 * * *"}')
    assert template["enterprise_id"] == OURS


async def test_a_change_leaves_what_it_does_not_name(connection: Connection) -> None:
    [template_id] = (await apply(connection, change("template", TEMPLATE)))["ids"]

    await apply(connection, change("template", {"body_template": "new", "description": "d"}, template_id))

    [template] = await rows(connection, "template", OURS)
    assert (template["body_template"], template["description"], template["subject_template"]) == ("new", "d", "s")


async def test_one_that_is_refused_undoes_all_and_is_named(connection: Connection) -> None:
    answer = await apply(connection, change("template", TEMPLATE), change("rule", RULE))

    assert answer["refused"]["position"] == 2
    assert answer["refused"]["sqlstate"] == "23502"
    assert await rows(connection, "template") == []


async def test_nothing_is_written_on_what_has_changed_since(connection: Connection) -> None:
    before = await seen(connection)
    await insert_workflow(connection, workflow_key="meanwhile")

    answer = await apply(connection, change("template", TEMPLATE), p_seen=before)

    assert answer == {"changed_meanwhile": True}
    assert await rows(connection, "template") == []


async def test_what_the_scheduler_notes_is_no_change(connection: Connection) -> None:
    await apply(connection, change("workflow", WORKFLOW), change("rule", RULE))
    before = await seen(connection)

    await connection.execute("update notify.ent_notification_rule set schedule_error = 'x', updated_at = now()")

    assert await seen(connection) == before


async def test_another_enterprise_s_row_is_not_written(connection: Connection) -> None:
    theirs = await insert_workflow(connection, workflow_key="theirs", enterprise_id=THEIRS)

    answer = await apply(connection, change("workflow", {"name": "ours now"}, theirs))
    of_theirs = await apply(connection, change("rule", {**RULE, "workflow": "theirs"}))

    assert answer["refused"]["sqlstate"] == "P0002"
    assert of_theirs["refused"]["sqlstate"] == "23502"
    [workflow] = await rows(connection, "workflow", THEIRS)
    assert workflow["name"] != "ours now"


async def test_keys_of_others_are_told_where_they_are_unique(connection: Connection) -> None:
    await insert_workflow(connection, workflow_key="theirs", enterprise_id=THEIRS)
    await insert_workflow(connection, workflow_key="ours")

    answer = await call(
        connection,
        "file_surroundings",
        p_enterprise_id=OURS,
        p_workflow_keys=["ours", "theirs", "new"],
        p_template_keys=["mail"],
    )

    assert answer == {"categories": [], "taken_workflow_keys": ["theirs"], "taken_template_keys": []}
