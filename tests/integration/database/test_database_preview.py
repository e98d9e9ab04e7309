"""preview_templates: what a preview reads is what a claim would load, and nothing is written."""

from tests.integration.database.project import (
    OURS,
    THEIRS,
    Connection,
    call,
    insert_notification,
    insert_template,
    insert_workflow,
)


async def test_a_preview_reads_what_a_claim_loads(connection: Connection) -> None:
    await insert_template(connection, "mail", '{% xnovu_render "footer" %}', subject_template="Hi")
    await insert_template(connection, "footer", "{{ xnovu_render('deep') }}")
    await insert_template(connection, "deep", '{% xnovu_render "footer" %}')
    await insert_template(connection, "unused", "x")
    workflow_id = await insert_workflow(
        connection,
        workflow_key="previewed",
        workflow_type="DYNAMIC",
        template_overrides={"emailTemplateId": "mail", "smsTemplateId": 9, "other": "unused"},
    )
    notification_id = await insert_notification(connection, notification_workflow_id=workflow_id)

    preview = await call(connection, "preview_templates", p_enterprise_id=OURS, p_workflow_key="previewed")
    claimed = await call(
        connection,
        "claim_batch",
        p_enterprise_id=OURS,
        p_notification_ids=[notification_id],
        p_claim_owner="owner",
        p_lease_seconds=60,
    )

    assert [it["template_key"] for it in preview["templates"]] == ["mail", "footer", "deep"]
    assert preview["templates"] == claimed["templates"]
    assert preview["workflow"] == claimed["workflows"][str(workflow_id)]
    assert (preview["active"], preview["workflow_keys"]) == (True, [])


async def test_an_unknown_key_is_answered_with_the_active_ones_of_the_enterprise(connection: Connection) -> None:
    await insert_workflow(connection, workflow_key="active")
    await insert_workflow(connection, workflow_key="draft", publish_status="DRAFT")
    await insert_workflow(connection, workflow_key="theirs", enterprise_id=THEIRS)

    preview = await call(connection, "preview_templates", p_enterprise_id=OURS, p_workflow_key="theirs")

    assert preview["workflow"] is None
    assert "active" in preview["workflow_keys"]
    assert not {"draft", "theirs"} & set(preview["workflow_keys"])
    draft = await call(connection, "preview_templates", p_enterprise_id=OURS, p_workflow_key="draft")
    assert (draft["workflow"]["workflow_key"], draft["active"]) == ("draft", False)
