"""Wrong usage is told in our words: which option, what was given, what is meant, what there is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.__main__ import app
from cli.commands import Commands

FOREIGN = ("Input should", "Value error", "valid integer", "valid number", "Invalid value", "validation error")


def checked_parameters(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option and argument of every command that takes a number, or one of a few words."""
    command = command or typer.main.get_group(app)
    names = Commands.names if not path else getattr(command, "commands", ())
    for name in names:
        yield from checked_parameters(command.get_command(None, name), (*path, name))
    for parameter in command.params if not names else ():
        kind = parameter.type_descriptor
        if kind.choices is not None or any(of in str(kind.annotation) for of in ("int", "float")):
            yield path, parameter


CHECKED = {f"{' '.join(path)} {parameter.opts[0]}": (path, parameter) for path, parameter in checked_parameters()}


ARGUMENTS_BEFORE = {"PERCENT": ("a-build",)}


def told(*arguments: str) -> dict[str, Any]:
    asked = () if "--json" in arguments else ("--json",)
    answer = CliRunner().invoke(app, [*arguments, *asked], prog_name="xnovu")
    [line] = answer.stdout.splitlines()
    error: dict[str, Any] = json.loads(line)["error"]
    assert answer.exit_code == error["exit_code"]
    assert answer.stderr == f"{error['message']}\nHint: {error['hint']}\n"
    return error


def test_every_command_that_takes_a_number_is_among_them() -> None:
    assert {"trace notification_id", "replay --id", "daemon start --log-level", "deploy ramp percent"} <= set(CHECKED)


@pytest.mark.parametrize("called", CHECKED)
def test_a_value_that_cannot_be_is_told_with_what_is_meant(called: str) -> None:
    path, parameter = CHECKED[called]
    option = [name for name in parameter.opts if name.startswith("--")]
    name = option[0] if option else parameter.metavar

    error = told(*path, *([name] if option else ARGUMENTS_BEFORE.get(name, ())), "wrnog")

    assert error["message"].startswith(f"{name}: must be ")
    assert "not 'wrnog'" in error["message"]
    assert not any(words in error["message"] for words in FOREIGN)
    assert error["hint"] == f"xnovu {' '.join(path)} --help says what there is."


@pytest.mark.parametrize(
    ("usage", "message", "hint"),
    [
        ("trace 0", "NOTIFICATION_ID: must be from 1 to 9223372036854775807, not '0'.", "xnovu trace --help "),
        ("trace 99999999999999999999", "NOTIFICATION_ID: must be from 1 to", "xnovu trace --help "),
        ("replay --id 5 --id y", "--id: must be a whole number from 1 to", "xnovu replay --help "),
        ("replay --limt 5", "No such option: --limt.", "did you mean --limit"),
        ("replay --dry-run", "No such option: --dry-run.", "it is one of --cause, --code, "),
        ("daemon statsu", "No such command 'statsu'.", "did you mean status "),
        ("daemon go", "No such command 'go'.", "it is one of health, logs, "),
        ("daemon start --log-level wran", "did you mean warn?", "xnovu daemon start --help "),
        ("daemon start --enterprises ,", "--enterprises: ',' names none.", "a list such as ent1,ent2"),
        ("daemon restart --enterprises=", "--enterprises: '' names none.", "a list such as ent1,ent2"),
        ("send --json --enterprise", "Option '--enterprise' requires an argument.", "xnovu send --help "),
        ("tail --since 0001-01-01T00:00:00+14:00", "is not of the years 1 to 9999.", "choose another instant"),
        ("rule next 1 --from noon", "--from: 'noon' is no instant.", "RFC 3339 with an offset, such as "),
        ("cron next * --from noon", "--from: 'noon' is no instant.", "RFC 3339 with an offset, such as "),
        ("enterprise pause a/b", "ENTERPRISE_ID: 'a/b' is no enterprise's id.", "1-64 of letters, digits, "),
        ("enterprise keep a soon", "DAYS: 'soon' is no number of days.", "1 to 36,500, or forever."),
        ("enterprise set a", "Nothing is named that is to be set.", "--time-zone, --rate or "),
        ("deploy ramp not/a/build 5", "BUILD: must be an image's digest (sha256:...)", "xnovu deploy ramp --help "),
    ],
)
def test_wrong_usage_names_what_is_meant_and_what_there_is(usage: str, message: str, hint: str) -> None:
    error = told(*usage.split())

    assert message in error["message"]
    assert error["hint"].startswith(hint)


def test_a_group_without_a_command_is_a_question_for_its_help() -> None:
    answer = CliRunner().invoke(app, ["daemon"])

    assert answer.exit_code == 2
    assert "Run XNovu on this machine" in answer.output
    assert "Hint" not in answer.output
