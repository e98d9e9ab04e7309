"""docs/runbook.md has a section for each alert, and none for what is no alert."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from tests.infra.observability.sources import RUNBOOK, Alert, alerts, dashboard
from tests.infra.terraform import readmes

TEMPORAL = Path(sys.executable).with_name("temporal")
MARK = "<!-- alerts -->"
PARTS = ("Means", "Who is affected", "First command", "Likely causes", "Fix", "Over when")
TILES = [tile.title for section in dashboard().sections for tile in section.tiles]


def sections() -> dict[str, str]:
    """The text of each section below the mark, by its heading."""
    _, _, below = RUNBOOK.read_text().partition(MARK)
    found = re.split(r"^## (\S+)$", below, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_alerts_and_sections_match_one_to_one() -> None:
    below = RUNBOOK.read_text().partition(MARK)[2]

    assert re.findall(r"^## (.+)$", below, re.MULTILINE) == [alert.name for alert in alerts()]


def test_what_terraform_is_told_is_a_variable_of_it() -> None:
    told = set(re.findall(r"(?i:set|raise|lower) `([a-z]+(?:_[a-z]+)*)(?: =[^`]*)?`", RUNBOOK.read_text()))

    assert told >= {"autoscaler", "worker_max_instances"}
    assert told <= set(readmes.blocks("xnovu_app", "variable"))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_a_section_says_everything_about_its_alert(alert: Alert) -> None:
    section = sections()[alert.name]
    parts = dict(re.findall(r"^- \*\*([^*]+)\*\*: ((?:.|\n(?!- \*\*|\n))+)", section, re.MULTILINE))

    assert tuple(parts) == PARTS
    assert all(len(text.strip()) > 10 for text in parts.values())
    assert re.fullmatch(r"`(xnovu|temporal|gcloud|curl) [^`]+`(: .+)?", parts["First command"].strip())


def test_what_sections_point_to_is_there() -> None:
    below = RUNBOOK.read_text().partition(MARK)[2]
    names = {alert.name for alert in alerts()}

    assert set(re.findall(r"\]\(#(\w+)\)", below)) <= names
    quoted = set(re.findall(r'"([A-Z][^"`=]+)"', re.sub(r"`[^`]*`", "", below)))
    assert quoted
    assert [name for name in quoted if not any(title == name or title.startswith(f"{name},") for title in TILES)] == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`xnovu ([^`]+)`", RUNBOOK.read_text().partition(MARK)[2]))))
def test_a_command_of_ours_has_these_options(command: str) -> None:
    words = [word for word in command.split() if re.fullmatch("[a-z]+", word)]
    options = [word for word in command.split() if word.startswith("--")]

    answer = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})

    assert answer.exit_code == 0
    assert [option for option in options if option not in answer.output] == []


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`temporal ([^`]+)`", RUNBOOK.read_text().partition(MARK)[2])))
)
def test_a_command_of_temporals_has_these_options(command: str) -> None:
    words = shlex.split(command)
    options = [word for word in words if word.startswith("--")]

    answer = subprocess.run([TEMPORAL, *words[:2], "--help"], capture_output=True, text=True, check=True)

    assert [option for option in options if option not in answer.stdout] == []
    assert f"temporal {words[0]} {words[1]}" in answer.stdout
