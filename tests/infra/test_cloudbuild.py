"""cloudbuild.yaml and infra/cloudbuild/apply.yaml: builds that Cloud Build takes, of scripts that are there."""

import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "infra" / "cloudbuild").iterdir() if not path.suffix)
BUILDS = ("cloudbuild.yaml", "infra/cloudbuild/apply.yaml")

OF_A_BUILD = {"steps", "timeout", "options", "substitutions", "images", "artifacts", "tags", "serviceAccount"}
OF_A_STEP = {"id", "name", "waitFor", "entrypoint", "args", "env", "dir", "timeout", "secretEnv", "volumes", "script"}
OF_OPTIONS = {"logging", "machineType", "substitutionOption", "requestedVerifyOption", "dynamicSubstitutions"}
"""Fields of the API's Build, BuildStep and BuildOptions that are used here."""

BUILT_IN = {"BUILD_ID", "COMMIT_SHA", "PROJECT_ID"}
GIVEN = {
    "cloudbuild.yaml": "plan",
    "infra/cloudbuild/apply.yaml": "apply",
}
"""By which trigger of bootstrap/ each is started."""


def build(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return loaded


def steps(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = build(name)["steps"]
    return found


def substitutions(name: str) -> set[str]:
    """What the trigger of bootstrap/ gives the build, and what keep_plan adds."""
    text = (ROOT / "infra" / "terraform" / "bootstrap" / "triggers.tf").read_text()
    common = set(re.findall(r"^ {6}(_[A-Z_]+) +=", text, re.MULTILINE))
    if GIVEN[name] == "plan":
        return common | set(re.findall(r"merge\(local\.substitutions.*?(_[A-Z_]+) =", text))
    left_out = re.search(r"!contains\(\[(.*?)\]", text)
    assert left_out is not None
    added = re.search(r"--substitutions=\"(.*)\"", (ROOT / "infra" / "cloudbuild" / "keep_plan").read_text())
    assert added is not None
    return (common - set(re.findall(r"_[A-Z_]+", left_out[1]))) | set(re.findall(r"(_[A-Z0-9_]+)=", added[1]))


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_is_valid_by_its_published_schema(name: str) -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [str(check), "--builtin-schema", "vendor.cloudbuild", str(ROOT / name)]
    result = subprocess.run(command, capture_output=True, text=True)

    assert result.returncode == 0, result.stdout


def test_the_schema_refuses_what_cloud_build_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "cloudbuild.yaml").write_text("steps:\n  - name: ubuntu\noptions:\n  logging: NOWHERE\n")
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [str(check), "--builtin-schema", "vendor.cloudbuild", str(tmp_path / "cloudbuild.yaml")]

    assert subprocess.run(command, capture_output=True).returncode == 1


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_has_no_field_that_cloud_build_does_not_know(name: str) -> None:
    assert set(build(name)) <= OF_A_BUILD
    assert set(build(name)["options"]) <= OF_OPTIONS
    for step in steps(name):
        assert set(step) <= OF_A_STEP, step["id"]
    assert build(name)["options"]["logging"] == "CLOUD_LOGGING_ONLY", "with an account of our own no other is allowed"


@pytest.mark.parametrize("name", BUILDS)
def test_every_step_runs_a_script_that_is_there_and_may_be_run(name: str) -> None:
    for step in steps(name):
        script = ROOT / step["entrypoint"]
        assert script in SCRIPTS, step["id"]
        assert os.access(script, os.X_OK), step["id"]
        first = script.read_text().splitlines()[0]
        assert first == ("#!/bin/sh" if step["name"].startswith("hashicorp/") else "#!/usr/bin/env bash"), step["id"]


def test_every_script_is_a_step() -> None:
    used = {ROOT / step["entrypoint"] for name in BUILDS for step in steps(name)}

    assert used == set(SCRIPTS)


@pytest.mark.parametrize("name", BUILDS)
def test_steps_wait_for_steps_before_them(name: str) -> None:
    before: set[str] = set()
    for step in steps(name):
        assert set(step.get("waitFor", [])) - {"-"} <= before, step["id"]
        assert step["id"] not in before
        before.add(step["id"])


def test_nothing_is_planned_that_was_not_tested_scanned_and_tried() -> None:
    waits = {step["id"]: {each for each in step["waitFor"] if each != "-"} for step in steps("cloudbuild.yaml")}
    order = list(TopologicalSorter(waits).static_order())

    for gate in ("check", "check-terraform", "build", "attestations", "scan", "smoke"):
        assert order.index(gate) < order.index("plan")
        assert gate in _behind("plan", waits), f"the plan does not wait for {gate}"
    assert [step["id"] for step in steps("infra/cloudbuild/apply.yaml")] == [
        "fetch-plan",
        "apply",
        "verify",
        "roll-back",
        "finish",
    ]


def _behind(step: str, waits: dict[str, set[str]]) -> set[str]:
    found = set(waits[step])
    return found.union(*(_behind(each, waits) for each in found))


@pytest.mark.parametrize("name", BUILDS)
def test_every_substitution_is_given_by_the_trigger(name: str) -> None:
    used = set(re.findall(r"\$\{?([A-Z0-9_]+)", (ROOT / name).read_text()))

    assert used <= substitutions(name) | BUILT_IN
    assert used & substitutions(name), "it depends on the environment"


@pytest.mark.parametrize("name", BUILDS)
def test_every_variable_a_script_insists_on_is_given(name: str) -> None:
    for step in steps(name):
        given = {each.partition("=")[0] for each in step.get("env", [])}
        wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?\}", (ROOT / step["entrypoint"]).read_text()))
        assert wanted == given, step["id"]


def test_tests_run_on_the_python_of_the_image() -> None:
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert base is not None
    assert steps("cloudbuild.yaml")[0]["name"] == base[1]


@pytest.mark.parametrize("name", BUILDS)
def test_images_are_named_by_digest_but_for_googles_own_builders(name: str) -> None:
    """Cloud Build runs on Google's word anyway, and keeps its builders at hand under their tag."""
    for step in steps(name):
        own = step["name"] in {"gcr.io/cloud-builders/docker", "gcr.io/cloud-builders/gcloud"}
        assert own or re.search(r"@sha256:[0-9a-f]{64}$", step["name"]), step["id"]


def test_what_the_scan_asks_is_enabled_in_the_project() -> None:
    scan = (ROOT / "infra" / "cloudbuild" / "scan").read_text()
    project = (ROOT / "infra" / "terraform" / "bootstrap" / "project.tf").read_text()

    assert "gcloud artifacts docker images scan" in scan
    assert '"ondemandscanning.googleapis.com"' in project


def test_terraform_is_the_same_in_every_step() -> None:
    used = {step["name"] for name in BUILDS for step in steps(name) if step["name"].startswith("hashicorp/")}

    assert len(used) == 1


def test_scripts_are_well_formed() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    result = subprocess.run([str(shellcheck), "-x", *map(str, SCRIPTS)], capture_output=True, text=True)

    assert result.returncode == 0, result.stdout
