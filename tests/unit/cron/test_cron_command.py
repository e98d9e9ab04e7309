"""`xnovu cron next`, and the document that quotes it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from shared.cron import CronRefusalCode

DOCUMENT = Path(__file__).parents[3] / "docs" / "cron.md"


def xnovu(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["cron", "next", *arguments])


def test_json_is_a_list_of_local_utc_and_note() -> None:
    result = xnovu(
        "30 2 * * *", "--timezone", "Europe/Berlin", "-n", "2", "--from", "2026-03-28T12:00:00+01:00", "--json"
    )

    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {
            "local": "2026-03-29T03:00:00+02:00",
            "utc": "2026-03-29T01:00:00Z",
            "note": "spring gap: nominal 02:30 does not exist",
        },
        {"local": "2026-03-30T02:30:00+02:00", "utc": "2026-03-30T00:30:00Z", "note": None},
    ]


def test_a_change_of_clocks_between_two_firings_is_marked() -> None:
    result = xnovu("0 9 * * *", "--timezone", "Europe/Berlin", "-n", "2", "--from", "2026-03-28T00:00:00Z", "--json")

    assert [firing["note"] for firing in json.loads(result.stdout)] == [
        None,
        "clocks have changed from +01:00 to +02:00",
    ]


def test_without_options_it_prints_ten_firings_from_now_in_utc() -> None:
    result = xnovu("* * * * *")

    assert result.exit_code == 0
    assert result.stdout.count("+00:00") == 10


@pytest.mark.parametrize(
    ("arguments", "part_of_message"),
    [
        (["0 0 30 2 *"], "No date in any year"),
        (["* * * * * * *"], "cron_field_count"),
        (["* * * * *", "--timezone", "Europe/Berln"], "Did you mean `Europe/Berlin`?"),
        (["* * * * *", "--from", "tomorrow"], "RFC 3339"),
        (["* * * * *", "--from", "2026-01-01T00:00:00"], "RFC 3339"),
        (["* * * * *", "--from", "1000-01-01T00:00:00Z"], "1900"),
        (["* * * * *", "--from", "0001-01-01T00:00:00+14:00"], "not of the years 1 to 9999"),
        (["* * * * *", "-n", "0"], "--count: must be from 1 to 1000"),
    ],
)
def test_an_error_is_on_stderr_with_a_hint_and_exit_code_2(arguments: list[str], part_of_message: str) -> None:
    result = xnovu(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert part_of_message in result.stderr


EXAMPLES = re.findall(r"^\$ xnovu cron next (.+)\n((?:.+\n)+?)```$", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_the_document_shows_what_the_command_prints(command: str, output: str) -> None:
    assert xnovu(*shlex.split(command)).stdout == output


def test_the_document_has_examples_of_both_zones_and_every_code() -> None:
    text = DOCUMENT.read_text("utf-8")

    assert {zone for zone in ("America/New_York", "Europe/Berlin") for command, _ in EXAMPLES if zone in command} == {
        "America/New_York",
        "Europe/Berlin",
    }
    assert [code for code in CronRefusalCode if f"`{code}`" not in text] == []
