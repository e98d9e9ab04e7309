"""What `xnovu novu` reads and notes: rows in pages, what was made at Novu, and what a claim says of it."""

from typing import Any

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    insert_notification,
    insert_workflow,
)

DEVELOPMENT, PRODUCTION = "dev-environment", "prod-environment"


def made(key: str, *channels: str) -> dict[str, Any]:
    return {"workflow_key": key, "fingerprint": "f", "novu_updated_at": "u", "channels": list(channels)}


async def note(connection: Connection, environment_id: str, *workflows: dict[str, Any]) -> Any:
    return await call(connection, "note_novu_workflows", p_environment_id=environment_id, p_workflows=list(workflows))


async def novu_channels(connection: Connection, ids: list[int]) -> Any:
    answer = await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=ids,
        p_claim_owner="owner",
        p_lease_seconds=60,
    )
    return answer["novu_channels"]


async def page(connection: Connection, **arguments: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {
        "p_environment_id": DEVELOPMENT,
        "p_enterprise_ids": None,
        "p_static": False,
        "p_after_id": 0,
        "p_limit": 100,
    }
    answer: list[dict[str, Any]] = await call(connection, "novu_workflow_rows", **{**defaults, **arguments})
    return answer


async def test_active_workflows_are_read_in_pages(connection: Connection) -> None:
    references = {"emailTemplateId": 7, "smsTemplateId": "sms", "pushTemplateId": None, "fax": 1}
    one = await insert_workflow(
        connection,
        workflow_key="one",
        workflow_type="DYNAMIC",
        default_channels=["IN_APP"],
        template_overrides=references,
    )
    await insert_workflow(connection, workflow_key="draft", workflow_type="DYNAMIC", publish_status="DRAFT")
    await insert_workflow(connection, workflow_key="gone", workflow_type="DYNAMIC", deactivated=True)
    static = await insert_workflow(connection, workflow_key="static", workflow_type="STATIC")
    theirs = await insert_workflow(connection, workflow_key="two", workflow_type="DYNAMIC", enterprise_id=THEIRS)
    await note(connection, DEVELOPMENT, made("one", "EMAIL"))
    await note(connection, PRODUCTION, made("two", "EMAIL"))

    dynamic = await page(connection)

    assert [it["id"] for it in dynamic] == [one, theirs]
    assert sorted(dynamic[0].pop("template_channels")) == ["EMAIL", "SMS"]
    assert dynamic[0] == {
        "id": one,
        "enterprise_id": OURS,
        "name": dynamic[0]["name"],
        "workflow_key": "one",
        "workflow_type": "DYNAMIC",
        "default_channels": ["IN_APP"],
        "applied": {"fingerprint": "f", "novu_updated_at": "u"},
    }
    assert dynamic[1]["applied"] is None
    assert [it["id"] for it in await page(connection, p_static=True)] == [one, static, theirs]
    assert [it["id"] for it in await page(connection, p_enterprise_ids=[THEIRS])] == [theirs]
    assert [it["id"] for it in await page(connection, p_limit=1, p_after_id=one)] == [theirs]


async def test_what_was_made_for_rows_that_are_gone_is_left_and_can_be_forgotten(connection: Connection) -> None:
    kept = await insert_workflow(connection, workflow_key="kept", workflow_type="DYNAMIC")
    await note(connection, DEVELOPMENT, made("kept", "EMAIL"), made("gone", "EMAIL"), made("off", "EMAIL"))
    await note(connection, PRODUCTION, made("elsewhere", "EMAIL"))
    await insert_workflow(connection, workflow_key="off", workflow_type="DYNAMIC", deactivated=True)

    assert await call(connection, "left_novu_workflows", p_environment_id=DEVELOPMENT) == ["gone", "off"]
    arguments = {"p_environment_id": DEVELOPMENT, "p_workflow_keys": ["gone", "elsewhere"]}
    assert await call(connection, "forget_novu_workflows", **arguments) == {"forgotten": 1}
    await connection.execute("update notify.ent_notification_workflow set deactivated = true where id = $1", kept)
    assert await call(connection, "left_novu_workflows", p_environment_id=DEVELOPMENT) == ["kept", "off"]


async def test_a_claim_says_which_channels_were_made_last(connection: Connection) -> None:
    dynamic = await insert_workflow(connection, workflow_key="dynamic", workflow_type="DYNAMIC")
    unknown = await insert_workflow(connection, workflow_key="unknown", workflow_type="DYNAMIC")
    static = await insert_workflow(connection, workflow_key="static", workflow_type="STATIC")
    ids = [await insert_notification(connection, notification_workflow_id=it) for it in (dynamic, unknown, static)]
    await note(connection, DEVELOPMENT, made("dynamic", "EMAIL"), made("static", "EMAIL"))
    await note(connection, PRODUCTION, made("dynamic", "EMAIL", "SMS"))

    assert await novu_channels(connection, ids) == {str(dynamic): ["EMAIL", "SMS"]}
    await note(connection, DEVELOPMENT, made("dynamic", "CHAT"))
    assert await novu_channels(connection, ids) == {str(dynamic): ["CHAT"]}
