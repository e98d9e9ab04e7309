"""docs/deploy.md: what it types and names is there, and its costs are those of the figures beside it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from functions.autoscale_settings import AutoscaleSettings
from functions.looks import CALL_SECONDS, MOST_LOOKS
from tests.benchmarks.cost import cost, keep, prices, table

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()
FIGURES = json.loads((ROOT / "docs" / "bench.json").read_text())
TERRAFORM = ROOT / "infra" / "terraform"
FENCES = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def declared(kind: str, folder: str) -> set[str]:
    text = "".join(path.read_text() for path in (TERRAFORM / folder).glob("*.tf"))
    return set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def test_the_cost_tables_are_those_of_the_figures() -> None:
    shown = re.search(r"<!-- made by [^>]* -->\n(.*?)<!-- until here -->", DOCUMENT, re.DOTALL)

    assert shown is not None
    assert shown[1].strip() == table(FIGURES)


def test_other_figures_make_other_tables_in_the_documents(tmp_path: Path) -> None:
    (tmp_path / "deploy.md").write_text(DOCUMENT)
    measured = {**FIGURES, "cpu_ms_single": 2 * FIGURES["cpu_ms_single"]}

    keep(measured, tmp_path)

    kept = (tmp_path / "deploy.md").read_text()
    assert kept == DOCUMENT.replace(table(FIGURES), table(measured))
    assert kept != DOCUMENT
    assert json.loads((tmp_path / "bench.json").read_text()) == measured


def test_the_figures_are_those_that_the_bench_measures() -> None:
    measured = (ROOT / "tests" / "benchmarks" / "__main__.py").read_text()

    assert FIGURES.keys() == set(re.findall(r'^        Line\("(\w+)"', measured, re.MULTILINE))


def test_costs_follow_what_was_measured_and_every_price() -> None:
    now = cost(FIGURES)
    talkative = {**FIGURES, "log_bytes_per_row": 1000}
    dearer = cost({**FIGURES, "actions_single": 2 * FIGURES["actions_single"]})

    assert now.per_million_single["Temporal Cloud actions"] == FIGURES["actions_single"] * 50
    assert dearer.per_million_single["Temporal Cloud actions"] == 2 * now.per_million_single["Temporal Cloud actions"]
    assert round(now.idle["listener"], 2) == 31.17, "by the price list: 1 vCPU and 0.5 GiB for a month"
    # Shown in the tables by themselves.
    shown = {"novu_million_runs", "nat_gib", "kib_out_per_notification"}
    unused = [
        name
        for name, price in prices().items()
        if name not in shown and cost(talkative, {**prices(), name: 2 * price}) == cost(talkative)
    ]
    assert unused == []


@pytest.mark.parametrize("folder", sorted(set(re.findall(r"^cd (infra/\S+)", DOCUMENT, re.MULTILINE))))
def test_a_folder_that_is_entered_is_there(folder: str) -> None:
    assert (ROOT / folder / "versions.tf").is_file()


def test_every_variable_and_output_named_is_declared() -> None:
    variables = set(re.findall(r"-var[= ]\W?(\w+)=", DOCUMENT))
    outputs = set(re.findall(r"output (?:-raw|-json) (\w+)", DOCUMENT))
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", DOCUMENT))
    everything = declared("variable", "xnovu_app") | declared("variable", "bootstrap")

    assert variables >= {"image", "decommissioning"}
    assert variables <= {"region"} | declared("variable", "xnovu_app")
    assert outputs >= {"state_bucket", "functions"}
    assert outputs <= declared("output", "bootstrap") | declared("output", "xnovu_app")
    assert named <= everything, "what is named in the text is a variable of bootstrap or of an environment"


def test_the_secrets_that_are_filled_are_those_an_environment_reads() -> None:
    filled = set(re.findall(r"versions add xnovu-ENV-(\S+)", DOCUMENT))
    defaults = re.search(r"secrets +=.*?\[(.*?)\]", (TERRAFORM / "bootstrap" / "variables.tf").read_text())

    assert defaults is not None
    assert filled == {name.strip(' "').replace("_", "-") for name in defaults[1].split(",")}


def test_the_autoscaler_that_is_paid_for_is_the_one_that_terraform_makes() -> None:
    variables = (TERRAFORM / "xnovu_app" / "variables.tf").read_text()
    defaults = dict(re.findall(r"^    (\w+) += optional\(number, ([\d.]+)\)$", variables, re.MULTILINE))
    function = (TERRAFORM / "xnovu_app" / "autoscale.tf").read_text()
    settings = AutoscaleSettings.model_fields

    assert int(defaults["looks_per_minute"]) == prices()["autoscale_looks"] == MOST_LOOKS
    assert re.findall(r"^  cpu += (\S+)$", function, re.MULTILINE) == [str(prices()["autoscale_vcpu"])]
    assert int(re.findall(r"^  timeout_seconds += (\d+)$", function, re.MULTILINE)[0]) > CALL_SECONDS
    for name in ("backlog_age_seconds", "drain_seconds", "quiet_seconds", "step_up"):
        assert float(defaults[name]) == settings[f"autoscale_{name}"].default, "what is simulated is what is deployed"


def test_what_the_autoscaler_is_said_to_need_is_what_it_is_given() -> None:
    said = (ROOT / "docs" / "functions.md").read_text().partition("## Autoscaling")[2].partition("\n## ")[0]
    granted = (TERRAFORM / "modules" / "accounts" / "main.tf").read_text()
    tasks = re.search(
        r"tasks_per_second += optional\(number, (\d+)\)", (TERRAFORM / "xnovu_app" / "variables.tf").read_text()
    )

    assert tasks is not None
    assert f"`AUTOSCALE_TASKS_PER_SECOND` is {tasks[1]} in Terraform" in said
    for right in (
        "run.workerpools.get",
        "run.workerpools.update",
        "run.operations.get",
        "roles/iam.serviceAccountUser",
    ):
        assert right in said
        assert right in granted


def test_what_is_copied_is_there() -> None:
    for environment in ("dev", "staging", "prod"):
        copied = [line.replace("ENV", environment) for line in re.findall(r"^cp (\S+/\S+) ", DOCUMENT, re.MULTILINE)]
        assert copied
        assert all((ROOT / path).is_file() for path in copied)


@pytest.mark.parametrize("fence", FENCES)
def test_a_command_line_is_one_that_a_shell_reads(fence: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(fence)
    read = subprocess.run([shutil.which("bash") or "bash", "-n", str(script)], capture_output=True, text=True)

    assert read.returncode == 0, read.stderr
