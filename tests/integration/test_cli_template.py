"""`xnovu template render` from a real database, by what a delivery would load."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app


async def insert(stack: Mapping[str, str], enterprise_id: str) -> None:
    """A workflow of two channels with an include, one that is STATIC, one unpublished, one that includes another
    enterprise's. Their keys end with the enterprise's id: keys are unique in a database.
    """
    connection = await asyncpg.connect(stack["XNOVU_STACK_POSTGRES_URL"])

    async def insert_template(key: str, channel: str, subject: str | None, body: str, owner: str) -> None:
        await connection.execute(
            "insert into notify.ent_notification_template"
            " (name, template_key, enterprise_id, channel_type, publish_status, subject_template, body_template)"
            " values ($1, $1, $2, $3, 'PUBLISH', $4, $5)",
            *(f"{key}-{enterprise_id}", owner, channel, subject, body),
        )

    async def insert_workflow(key: str, status: str, kind: str, email: str) -> None:
        references = {"emailTemplateId": f"{email}-{enterprise_id}", "smsTemplateId": f"sms-{enterprise_id}"}
        await connection.execute(
            "insert into notify.ent_notification_workflow"
            " (name, enterprise_id, publish_status, workflow_type, workflow_key, default_channels, template_overrides)"
            " values ($1, $2, $3, $4, $1, '{EMAIL,SMS}', $5)",
            *(f"{key}-{enterprise_id}", enterprise_id, status, kind, json.dumps(references)),
        )

    include = '<p onclick="x">Hi {{ name }}</p>{% xnovu_render "FOOTER-' + enterprise_id + '" %}'
    try:
        await insert_template("mail", "EMAIL", "Order {{ id }}", include.replace("FOOTER", "footer"), enterprise_id)
        await insert_template("thief", "EMAIL", None, include.replace("FOOTER", "theirs"), enterprise_id)
        await insert_template("sms", "SMS", None, "Hi {{ name }}", enterprise_id)
        await insert_template("footer", "EMAIL", None, "<p>Ours</p>", enterprise_id)
        await insert_template("theirs", "EMAIL", None, "<p>Theirs</p>", "another")
        await insert_workflow("order", "PUBLISH", "DYNAMIC", "mail")
        await insert_workflow("draft", "DRAFT", "DYNAMIC", "mail")
        await insert_workflow("static", "PUBLISH", "STATIC", "mail")
        await insert_workflow("thief", "PUBLISH", "DYNAMIC", "thief")
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def enterprise_id(local_stack: Mapping[str, str]) -> str:
    name = f"preview-{uuid4().hex[:8]}"
    asyncio.run(insert(local_stack, name))
    return name


@pytest.fixture
def payload(tmp_path: Path) -> str:
    path = tmp_path / "payload.json"
    path.write_text('{"name": "Ada", "id": 7}')
    return str(path)


def render(stack: Mapping[str, str], *options: str) -> Result:
    """The command with no setting but Supabase's."""
    environment: dict[str, Any] = {
        "TEMPORAL_ADDRESS": None,
        "NOVU_SECRET_KEY": None,
        "NEXT_PUBLIC_SUPABASE_URL": stack["NEXT_PUBLIC_SUPABASE_URL"],
        "SUPABASE_SERVICE_ROLE_KEY": stack["SUPABASE_SERVICE_ROLE_KEY"],
    }
    return CliRunner().invoke(app, ["template", "render", *options], env=environment)


def test_each_default_channel_is_rendered_with_what_its_templates_include(
    local_stack: Mapping[str, str], enterprise_id: str, payload: str
) -> None:
    arguments = ("--workflow", f"order-{enterprise_id}", "--enterprise", enterprise_id, "--payload", payload)

    result = render(local_stack, *arguments, "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    channels = json.loads(result.stdout)["channels"]
    assert {name: (it["subject"], it["body"], it["segments"]) for name, it in channels.items()} == {
        "EMAIL": ("Order 7", "<p>Hi Ada</p><p>Ours</p>", None),
        "SMS": (None, "Hi Ada", 1),
    }
    assert channels["EMAIL"]["warnings"] == [{"line": 1, "message": "removed attribute onclick of <p>"}]


def test_one_channel_can_be_asked_for_and_a_draft_is_told(
    local_stack: Mapping[str, str], enterprise_id: str, payload: str
) -> None:
    arguments = ("--workflow", f"draft-{enterprise_id}", "--enterprise", enterprise_id, "--payload", payload)

    result = render(local_stack, *arguments, "--channel", "sms")

    assert (result.exit_code, result.stdout) == (0, "SMS: 6 of 1,600 characters, 1 segments\n  | Hi Ada\n\n")
    assert "is not published or is deactivated: rows that name it fail.\n" in result.stderr


@pytest.mark.parametrize(
    ("workflow", "options", "said"),
    [
        ("nothing", (), "its active ones: order-ID, static-ID, thief-ID."),
        ("static", (), "static-ID is STATIC: nothing is rendered here"),
        ("order", ("--channel", "PUSH"), "template_not_found: Workflow order-ID names no template for channel PUSH"),
        ("thief", (), "template_not_found: Template thief-ID, line 1: no active template theirs-ID to include"),
    ],
)
def test_what_cannot_be_rendered_is_exit_code_1(
    local_stack: Mapping[str, str], enterprise_id: str, payload: str, workflow: str, options: tuple[str, ...], said: str
) -> None:
    arguments = ("--workflow", f"{workflow}-{enterprise_id}", "--enterprise", enterprise_id, "--payload", payload)

    result = render(local_stack, *arguments, *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert said.replace("-ID", f"-{enterprise_id}") in result.stderr


def test_no_database_is_exit_code_2(local_stack: Mapping[str, str], payload: str) -> None:
    nowhere = {**local_stack, "NEXT_PUBLIC_SUPABASE_URL": "http://127.0.0.1:1"}

    result = render(nowhere, "--workflow", "w", "--enterprise", "e", "--payload", payload)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "The database did not answer" in result.stderr
