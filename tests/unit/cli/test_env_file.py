"""Settings in a file: `.env` of this folder, or `--env-file`; the environment wins, and flags win over that."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.env_file import VARIABLE
from shared.settings import DaemonSettings, SettingsError

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder and an empty environment; both end with the test."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ, {}, clear=True):
        yield tmp_path


def run(*before: str) -> Result:
    """A command that reads no settings and does nothing, so that only the file is read."""
    return CliRunner().invoke(app, [*before, "cron", "next", "0 9 * * *", "--timezone", "UTC"])


def variables() -> dict[str, str]:
    """The environment, without what pytest notes there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def test_the_file_gives_what_the_environment_does_not_have(folder: Path) -> None:
    (folder / ".env").write_text(
        "# ours\nexport TEMPORAL_ADDRESS='of-file:1'\nDAEMON_LOG_LEVEL=debug\nFEED=broadcast # and why\nNOVU_PLAN=\n"
    )
    os.environ |= {"DAEMON_LOG_LEVEL": "warn", "FEED": ""}

    answer = run()

    assert answer.exit_code == 0
    assert variables() == {"TEMPORAL_ADDRESS": "of-file:1", "DAEMON_LOG_LEVEL": "warn", "FEED": "broadcast"}


def test_flags_win_over_the_environment_and_that_over_the_file(folder: Path) -> None:
    (folder / ".env").write_text(
        "TEMPORAL_ADDRESS=of-file:1\nSUPABASE_URL=http://file\nSUPABASE_SERVICE_ROLE_KEY=key\nNOVU_SECRET_KEY=key\n"
        "DAEMON_ENTERPRISE_IDS=of-file\nDAEMON_HEALTH_PORT=1001\n"
    )
    os.environ |= {"DAEMON_HEALTH_PORT": "1002", "DAEMON_ENTERPRISE_IDS": "of-environment"}

    run()
    settings = DaemonSettings.load(daemon_enterprise_ids="of-flag")

    assert settings.daemon_enterprise_ids == ("of-flag",)
    assert settings.daemon_health_port == 1002
    assert settings.temporal_address == "of-file:1"


def test_a_value_is_taken_as_it_is_written(folder: Path) -> None:
    os.environ["HOME"] = "/home/ada"
    (folder / ".env").write_text("NOVU_SECRET_KEY=a${HOME}b$c\n")

    run()

    assert os.environ["NOVU_SECRET_KEY"] == "a${HOME}b$c"


def test_a_file_that_is_named_is_read_instead_and_told_to_processes_that_follow(folder: Path) -> None:
    (folder / ".env").write_text("NOVU_PLAN=free\n")
    (folder / "other").write_text("FEED=broadcast\n")

    answer = run("--env-file", "other")

    assert answer.exit_code == 0
    assert variables() == {"FEED": "broadcast", VARIABLE: str(folder / "other")}


def test_a_folder_of_that_name_is_somebody_s_virtual_environment(folder: Path) -> None:
    (folder / ".env").mkdir()

    assert run().exit_code == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"FEED=auto\nplanted secret words\n", "line 2"),
        (b"KEY=\xff\xfeplanted\n", "not UTF-8"),
        (b"KEY=planted\0secret\n", "'KEY' holds a NUL"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(folder: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (folder / "settings").write_bytes(content)

    answer = run("--env-file", "settings")

    assert answer.exit_code == 2
    assert "settings" in answer.output
    assert reason in answer.output
    assert "planted" not in answer.output
    assert "FEED" not in os.environ


def test_the_example_filled_in_is_enough_for_the_daemon(folder: Path) -> None:
    (folder / ".env").write_text(EXAMPLE.read_text())

    run()
    with pytest.raises(SettingsError) as refused:
        DaemonSettings.load()

    assert {problem.split(":")[0] for problem in refused.value.problems} == {
        line.removesuffix("=") for line in EXAMPLE.read_text().splitlines() if line.endswith("=") and line[0] != "#"
    }
