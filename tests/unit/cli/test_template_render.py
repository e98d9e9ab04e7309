"""`xnovu template render` from files, by the worker's own pool; no database, no setting."""

import json
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app

MAIL = '<body dir="rtl">\n<script>x</script><p>Hi {{ name }}</p>{% xnovu_render "footer" %}'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "mail.liquid").write_text(MAIL)
    (tmp_path / "subject.liquid").write_text("Order {{ order.id }}")
    (tmp_path / "sms.liquid").write_text("Hi {{ name }}")
    (tmp_path / "payload.json").write_text('{"name": "Ada", "order": {"id": 7}}')
    (tmp_path / "includes").mkdir()
    (tmp_path / "includes" / "footer.liquid").write_text("<p>Bye {{ name }}</p>")
    return tmp_path


def render(*options: Any, payload: Path | str, stdin: str | None = None) -> Result:
    arguments = ["template", "render", "--payload", str(payload), *map(str, options)]
    return CliRunner().invoke(app, arguments, input=stdin, env={"SUPABASE_SERVICE_ROLE_KEY": None})


def mail(files: Path) -> list[Any]:
    return [
        *("--template", files / "mail.liquid", "--subject", files / "subject.liquid"),
        *("--templates", files / "includes", "--channel", "email"),
    ]


def test_it_prints_what_the_channel_gets_and_what_it_loses(files: Path) -> None:
    result = render(*mail(files), payload=files / "payload.json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "EMAIL: 49 of 100,000 bytes\n"
        "  ! line 2: removed <script> and what is in it\n"
        "  subject: Order 7\n"
        '  | <div dir="rtl">\n'
        "  | <p>Hi Ada</p><p>Bye Ada</p></div>\n\n"
    )


def test_json_has_a_member_for_each_channel(files: Path) -> None:
    result = render(
        "--template", files / "sms.liquid", "--channel", "SMS", "--json", payload="-", stdin='{"name": "Żak"}'
    )

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "channels": {
            "SMS": {
                "subject": None,
                "body": "Hi Żak",
                "bytes": 7,
                "characters": 6,
                "segments": 1,
                "warnings": [{"line": None, "message": "70 characters in a segment instead of 160, for: Ż"}],
            }
        }
    }


def test_a_refusal_is_the_workers_own_and_exit_code_1(files: Path) -> None:
    as_text = render("--template", files / "sms.liquid", "--channel", "SMS", payload="-", stdin="{}")
    as_json = render("--template", files / "sms.liquid", "--channel", "SMS", "--json", payload="-", stdin="{}")

    message = "Template sms, line 1: variable name is undefined"
    assert (as_text.exit_code, as_text.stdout) == (1, "")
    assert as_text.stderr.startswith(f"Refused, template_undefined_variable: {message}\nHint: ")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout) == {
        "refusal": {
            "code": "template_undefined_variable",
            "message": message,
            "template": "sms",
            "line": 1,
            "variable": "name",
        }
    }


def test_limits_are_the_workers(files: Path) -> None:
    (files / "sms.liquid").write_text("{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}")

    result = render("--template", files / "sms.liquid", "--channel", "SMS", "--json", payload=files / "payload.json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["refusal"]["limit"] == "loop_iterations"


def test_open_shows_mails_in_frames_that_may_do_nothing(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_nowhere(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr(webbrowser, "open", open_nowhere)
    monkeypatch.setattr("tempfile.tempdir", str(files))

    result = render(*mail(files), "--open", payload=files / "payload.json")

    [address] = opened
    path = Path(address.removeprefix("file://"))
    assert result.stderr == f"No browser could be started; open {path}\n"
    page = path.read_text()
    assert '<iframe sandbox="" title="EMAIL" srcdoc="&lt;div dir=&quot;rtl&quot;&gt;' in page
    assert "Subject: Order 7" in page
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ('{"name":\n  }', "line 2, column 3: Expecting value."),
        ("[1]", "holds no JSON object."),
        ('{"n": NaN}', "NaN is no JSON number."),
        ("[" * 100_000, "is not JSON: "),
    ],
)
def test_a_payload_that_is_no_object_is_named_with_its_place(files: Path, payload: str, said: str) -> None:
    (files / "payload.json").write_text(payload)

    result = render("--template", files / "sms.liquid", "--channel", "SMS", payload=files / "payload.json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--payload: {files}/payload.json" in result.stderr
    assert said in result.stderr
    assert "Hint: " in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "What is to be rendered?"),
        (["--workflow", "w"], "What is to be rendered?"),
        (["--workflow", "w", "--enterprise", "e", "--template", "sms.liquid"], "What is to be rendered?"),
        (["--template", "sms.liquid"], "--template is of one channel."),
        (
            ["--template", "sms.liquid", "--channel", "FAX"],
            "--channel: must be one of IN_APP, EMAIL, SMS, CHAT, PUSH, not 'FAX'.",
        ),
        (["--template", "nowhere", "--channel", "SMS"], "--template: nowhere cannot be read: No such file"),
        (["--template", "sms.liquid", "--channel", "SMS", "--templates", "nowhere"], "nowhere is no directory."),
        (["--workflow", "w", "--enterprise", "e"], "SUPABASE_SERVICE_ROLE_KEY: is missing"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_to_do(
    files: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)

    result = render(*options, payload="payload.json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())
