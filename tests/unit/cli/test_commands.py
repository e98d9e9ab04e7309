"""`xnovu`'s commands: each is found by its name, and loads only what it needs."""

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

import cli.commands
from cli.__main__ import app
from cli.commands import Commands

OURS = ("cli", "functions", "listener", "shared", "stack", "worker")


@pytest.mark.parametrize("name", Commands.names)
def test_every_command_explains_itself(name: str) -> None:
    answer = CliRunner().invoke(app, [name, "--help"])

    assert answer.exit_code == 0
    assert f" {name} [OPTIONS]" in answer.output
    assert "completion" not in answer.output


def test_the_list_names_them_all() -> None:
    answer = CliRunner().invoke(app, ["--help"])

    assert answer.exit_code == 0
    assert [name for name in Commands.names if f" {name} " not in answer.output] == []


def test_a_command_that_there_is_not_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["main"]).exit_code == 2


def test_of_a_command_that_there_is_not_those_that_may_be_meant_are_named() -> None:
    said = json.loads(CliRunner().invoke(app, ["workflw", "list", "--json"]).stdout)["error"]

    assert said["message"] == "No such command 'workflw'."
    assert said["hint"] == "did you mean workflow or worker?"


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("listener", {"cli", "shared", "listener"}),
        ("worker", {"cli", "shared", "worker"}),
        ("function", {"cli", "shared", "functions"}),
    ],
)
def test_what_a_container_runs_loads_no_other_part(name: str, needs: set[str]) -> None:
    program = (
        "import sys\n"
        "from cli.__main__ import app\n"
        f"try: app(['{name}', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr.split()

    assert {module.partition(".")[0] for module in loaded} & set(OURS) == needs


@pytest.mark.parametrize("name", ["health", "logs", "stop"])
def test_whoever_asks_a_daemon_loads_nothing_that_a_daemon_runs(name: str) -> None:
    program = (
        "import sys\n"
        "from cli.__main__ import app\n"
        f"try: app(['daemon', '{name}', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr.split()

    assert f"cli.daemon_{name}" in loaded
    assert {"listener", "worker", "temporalio", "asyncpg", "uvicorn"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", ["daemon", "demo"])
def test_without_the_local_stack_its_commands_are_not_listed_and_say_why(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def nothing(_: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(cli.commands, "find_spec", nothing)

    asked = CliRunner().invoke(app, [name, "--help"])
    listed = CliRunner().invoke(app, ["--help"])

    assert asked.exit_code == 1
    assert f"{name} needs the local stack" in asked.output
    assert f"│ {name} " not in listed.output
    assert "│ worker " in listed.output


def test_the_release_is_told() -> None:
    answer = CliRunner().invoke(app, ["--version"])

    assert (answer.exit_code, answer.output) == (0, f"xnovu {version('xnovu')}\n")


def test_shells_complete_names_of_commands() -> None:
    shell = {"_XNOVU_COMPLETE": "complete_bash", "COMP_WORDS": "xnovu tem", "COMP_CWORD": "1"}

    answer = CliRunner().invoke(app, [], env=shell, prog_name="xnovu")

    assert answer.output.split() == ["template"]
