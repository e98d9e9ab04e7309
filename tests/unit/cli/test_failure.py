"""How commands fail: a message and a hint on stderr, and an object for a program that asked for one."""

import json

import pytest
from typer.testing import CliRunner

from cli.__main__ import app


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
