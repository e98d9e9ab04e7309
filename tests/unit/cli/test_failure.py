"""How commands fail: a message and a hint on stderr, and an object for a program that asked for one."""

import json

import pytest
from typer.testing import CliRunner

import cli.__main__
import cli.rule
from cli.__main__ import app
from shared.ports import StoreUnavailable
from shared.temporal.reason import temporal_reason


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", [["trace", "1"], ["replay", "--enterprise", "acme"]])
def test_a_program_gets_an_object_that_says_why(command: list[str]) -> None:
    answer = CliRunner().invoke(app, [*command, "--json"])

    error = json.loads(answer.stdout)["error"]
    assert answer.exit_code == error["exit_code"] == 2
    assert "NEXT_PUBLIC_SUPABASE_URL: is missing" in error["message"]
    assert "docs/configuration.md" in error["hint"]
    assert error["message"] in answer.stderr


def test_people_get_nothing_on_stdout() -> None:
    assert CliRunner().invoke(app, ["trace", "1"]).stdout == ""


@pytest.mark.parametrize(
    ("command", "message", "code"),
    [
        (["send"], "Missing option '--enterprise'", 2),
        (["daemon", "statsu"], "No such command 'statsu'", 2),
        (["nope"], "No such command 'nope'", 2),
        (["--nope"], "No such option: --nope", 2),
        (["rule", "next", "1", "-n", "0"], "--count: must be from 1 to 1000, not '0'", 2),
        (["cron", "next", "61 * * * *"], "`61` is not between 0 and 59", 2),
        (["novu", "plan", "--nope"], "No such option: --nope", 1),
        (["apply"], "Missing option '--file'", 1),
    ],
)
def test_wrong_usage_is_an_object_too(command: list[str], message: str, code: int) -> None:
    answer = CliRunner().invoke(app, [*command, "--json"])

    [line] = answer.stdout.splitlines()
    error = json.loads(line)["error"]
    assert answer.exit_code == error["exit_code"] == code
    assert message in error["message"]
    assert error["hint"]


def test_a_command_that_tells_its_reasons_on_stderr_alone_owes_them_as_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def none(*_: object) -> None:
        return None

    monkeypatch.setattr(cli.rule, "_read", none)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")

    answer = CliRunner().invoke(app, ["rule", "next", "5", "--json"])

    assert json.loads(answer.stdout)["error"] == {
        "message": "Rule 5 does not fire: there is no such rule",
        "hint": None,
        "exit_code": 1,
    }
    assert answer.stderr == "Rule 5 does not fire: there is no such rule\n"


def test_what_nobody_foresaw_is_an_object_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("ada@example.com")

    monkeypatch.setattr(cli.rule, "read_instant", fail)
    monkeypatch.setattr(cli.__main__, "leave_at_once", lambda code: None)
    monkeypatch.setattr("sys.argv", ["xnovu", "rule", "next", "5", "--json"])

    cli.__main__.main()

    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert (error["message"], error["exit_code"]) == ("Nobody foresaw this: ValueError", 1)
    assert "ada" not in told.out


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("401", "SUPABASE_SERVICE_ROLE_KEY is of another project"),
        ("PGRST125", "NEXT_PUBLIC_SUPABASE_URL must be the project's URL"),
        ("PGRST202", "supabase db push"),
        ("57014", "xnovu doctor says why"),
        (None, "xnovu doctor says why"),
    ],
)
def test_what_the_database_answers_leads_to_the_variable_or_the_deed(
    monkeypatch: pytest.MonkeyPatch, code: str | None, hint: str
) -> None:
    async def refuse(*_: object) -> None:
        raise StoreUnavailable("trace_rule: refused", code=code)

    monkeypatch.setattr(cli.rule, "_read", refuse)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")

    error = json.loads(CliRunner().invoke(app, ["rule", "next", "5", "--json"]).stdout)["error"]

    assert hint in error["hint"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError("
            'ConnectError("tcp connect error", 127.0.0.1:1, Os { code: 111, message: "Connection refused" })))',
            "Connection refused",
        ),
        (
            "Failed client connect: Server connection error: tonic::transport::Error(Transport, TimedOut(()))",
            "no answer in time",
        ),
        ("Failed client connect: tonic::Status(X)", "Failed client connect"),
        ("namespace is unknown", "namespace is unknown"),
    ],
)
def test_no_words_of_the_library_beneath_temporal_s_client_are_shown(text: str, reason: str) -> None:
    assert temporal_reason(RuntimeError(text)) == reason
