"""`xnovu daemon status`: what it prints of a report. tests/integration/test_cli_daemon_status.py makes real ones."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.orchestration_report import OrchestrationCondition, OrchestrationReport
from shared.settings import TemporalSettings
from shared.temporal.messages import OrchestrationState, SchedulerStatus

DOCUMENT = Path(__file__).parents[3] / "docs" / "scheduling.md"

STARTED = datetime(2026, 3, 2, 8, tzinfo=UTC)
RUNNING = OrchestrationReport(
    OrchestrationCondition.RUNNING,
    started_at=STARTED,
    last_poll_at=STARTED,
    observed=OrchestrationState(
        status="running",
        schedulers=[
            SchedulerStatus(
                "cron-scheduling/acme", "running", "2026-03-02T08:00:01.5+00:00", "2026-03-02T10:00:00+01:00"
            ),
            SchedulerStatus("scheduled-notification/acme", "running"),
        ],
        unaccounted_rows=2,
        oldest_unaccounted_age_seconds=200.4,
        restarted=1,
        observed_at="2026-03-02T08:00:02+00:00",
    ),
)


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A state directory in which no daemon has written."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def status(monkeypatch: pytest.MonkeyPatch, report: OrchestrationReport, *options: str) -> Result:
    async def stub(settings: TemporalSettings) -> OrchestrationReport:
        return report

    monkeypatch.setattr("cli.daemon_status.report_orchestration", stub)
    return CliRunner().invoke(app, ["daemon", "status", *options], env={"TEMPORAL_ADDRESS": "127.0.0.1:1"})


def test_a_running_orchestration_shows_each_scheduler_and_the_oldest_unaccounted_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = status(monkeypatch, RUNNING)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "daemon: none of this user's is running here",
        "orchestration: running",
        "started: 2026-03-02T08:00:00Z",
        "last poll of a worker: 2026-03-02T08:00:00Z",
        "observed: 2026-03-02T08:00:02Z",
        "unaccounted rows: 2, the oldest for 200 s",
        "schedulers found missing and restarted: 1",
        "",
        "enterprise  scheduler               state    last pass             next due",
        "acme        cron-scheduling         running  2026-03-02T08:00:01Z  2026-03-02T09:00:00Z",
        "acme        scheduled-notification  running  never                 nothing",
    ]


def test_one_that_has_not_looked_yet_is_running_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    report = OrchestrationReport(OrchestrationCondition.RUNNING, observed=OrchestrationState("starting"))

    result = status(monkeypatch, report)

    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "it has not looked at its schedulers yet")


@pytest.mark.parametrize("condition", [it for it in OrchestrationCondition if it is not OrchestrationCondition.RUNNING])
def test_every_other_state_is_named_with_its_reason_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, condition: OrchestrationCondition
) -> None:
    report = OrchestrationReport(condition, "because", started_at=STARTED)

    result = status(monkeypatch, report)

    assert (result.exit_code, result.stdout.splitlines()[1]) == (3, f"orchestration: {condition} (because)")


def test_wrong_settings_are_named_on_stderr_with_exit_code_2() -> None:
    result = CliRunner().invoke(app, ["daemon", "status"], env={"TEMPORAL_ADDRESS": "nowhere"})

    assert (result.exit_code, result.stdout) == (2, "")
    assert "TEMPORAL_ADDRESS: " in result.stderr


def test_without_settings_no_daemon_is_what_it_is_and_the_orchestration_is_said_not_to_be_known() -> None:
    result = CliRunner().invoke(app, ["daemon", "status"], env={"TEMPORAL_ADDRESS": None})

    assert (result.exit_code, result.stderr) == (3, "")
    assert "orchestration: not looked for, as the settings here do not say where Temporal is" in result.stdout


def test_the_document_lists_every_field_of_the_json_and_every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = json.loads(status(monkeypatch, RUNNING, "--json").stdout)
    text = DOCUMENT.read_text()

    documented = set(re.findall(r"^\| `([a-z_.\[\]]+)` \|", text, re.MULTILINE))
    assert documented >= set(_paths(printed))
    assert [state for state in OrchestrationCondition if f"`{state}`" not in text] == []


def _paths(value: Any, prefix: str = "") -> list[str]:
    """The path of every field that holds no object: `orchestration.observed.schedulers[].state`."""
    if isinstance(value, list):
        return [path for item in value for path in _paths(item, f"{prefix}[]")]
    if not isinstance(value, dict):
        return [prefix]
    return [path for key, item in value.items() for path in _paths(item, f"{prefix}.{key}".lstrip("."))]
