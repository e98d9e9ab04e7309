"""Commands refuse what cannot be meant before they act, and say which option it was and what there is."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cli.send
from cli.__main__ import app
from cli.operator_store import Replay
from cli.replay import _lines
from shared.notification.models import NovuWorkflow, WorkflowType
from shared.ports import CreateRefusal, NewNotification
from shared.supabase.template_store import WorkflowTemplates

SEND = ("send", "--enterprise", "acme", "--workflow", "welcome")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[NewNotification]:
    """What commands would have inserted; the database refuses all of it."""
    notifications: list[NewNotification] = []

    async def keep(_: object, notification: NewNotification, __: object) -> CreateRefusal:
        notifications.append(notification)
        return CreateRefusal.WORKFLOW_NOT_FOUND

    monkeypatch.setattr(cli.send, "_send", keep)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    return notifications


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@pytest.mark.parametrize("recipient", ["", "  "])
def test_a_blank_recipient_is_refused(sent: list[NewNotification], recipient: str) -> None:
    answer = run(*SEND, "--to", "ada", "--to", recipient)

    assert answer.exit_code == 2
    assert "--to is blank" in answer.stderr
    assert sent == []


def test_an_instant_that_is_none_is_told_with_its_option(sent: list[NewNotification]) -> None:
    answer = run(*SEND, "--to", "ada", "--at", "tomorrow")

    assert answer.exit_code == 2
    assert "--at: 'tomorrow' is no instant." in answer.stderr
    assert sent == []


def test_a_payload_is_read_from_a_file_or_from_standard_input(sent: list[NewNotification], tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"name": "Ada"}')

    run(*SEND, "--to", "ada", "--payload", f"@{file}")
    run(*SEND, "--to", "ada", "--payload", "@-", given='{"name": "Bob"}')

    assert [it.payload for it in sent] == [{"name": "Ada"}, {"name": "Bob"}]


@pytest.mark.parametrize(
    ("payload", "reason"), [("@", "names no file"), ("@/nowhere.json", "/nowhere.json cannot be read")]
)
def test_a_payload_s_file_that_is_not_there_is_named(sent: list[NewNotification], payload: str, reason: str) -> None:
    answer = run(*SEND, "--to", "ada", "--payload", payload, "--json")

    error = json.loads(answer.stdout)["error"]
    assert (answer.exit_code, error["exit_code"]) == (2, 2)
    assert reason in error["message"]
    assert sent == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [("template_not_fuond", "did you mean template_not_found"), ("bogus", "it is one of channel_not_in_novu, ")],
)
def test_a_code_that_there_is_not_is_no_answer_that_nothing_failed(code: str, hint: str) -> None:
    answer = run("replay", "--enterprise", "acme", "--code", code)

    assert answer.exit_code == 2
    assert f"--code {code}" in answer.stderr
    assert hint in answer.stderr


def test_where_nothing_failed_it_says_of_what() -> None:
    nothing = Replay(dry_run=True, codes=(), notification_ids=(), refused={})

    said = list(_lines(nothing, "nope", "expired", "2026-03-07T12:00:00Z"))

    assert said == ["Nothing of enterprise nope has failed with expired since 2026-03-07T12:00:00Z."]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            WorkflowTemplates(None, False, {}, ("goodbye", "wellcome")),
            ("has no workflow welcome", "did you mean wellcome?"),
        ),
        (WorkflowTemplates(None, False, {}, ("order",)), ("has no workflow welcome", "its active ones: order.")),
        (WorkflowTemplates(None, False, {}), ("has no workflow welcome", "is --enterprise right?")),
        (
            WorkflowTemplates(NovuWorkflow("welcome", WorkflowType.STATIC), False, {}),
            ("welcome of enterprise acme is unpublished", "xnovu workflow show welcome --enterprise acme"),
        ),
    ],
)
def test_a_workflow_that_there_is_not_is_told_with_those_that_there_are(
    sent: list[NewNotification], monkeypatch: pytest.MonkeyPatch, found: WorkflowTemplates, told: tuple[str, str]
) -> None:
    async def read(*_: object) -> WorkflowTemplates:
        return found

    monkeypatch.setattr(cli.send, "_workflow", read)

    error = json.loads(run(*SEND, "--to", "ada", "--json").stdout)["error"]

    assert told[0] in error["message"]
    assert told[1] in error["hint"]
    assert error["exit_code"] == 1


def test_a_payload_is_an_option_s_value_or_a_file_wherever_there_is_one(tmp_path: Path) -> None:
    body = tmp_path / "hello.liquid"
    body.write_text("Hi {{ name }}")
    file = tmp_path / "payload.json"
    file.write_text('{"name": "Ada"}')
    render = ("template", "render", "--template", str(body), "--channel", "SMS", "--json", "--payload")

    answers = [run(*render, given) for given in (str(file), f"@{file}", '{"name": "Ada"}')]
    answers += [run(*render, given, given='{"name": "Ada"}') for given in ("-", "@-")]

    assert [json.loads(it.stdout)["channels"]["SMS"]["body"] for it in answers] == ["Hi Ada"] * 5
