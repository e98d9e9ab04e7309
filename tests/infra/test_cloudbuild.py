"""cloudbuild.yaml and infra/cloudbuild/apply.yaml: builds that Cloud Build takes, of scripts that are there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "infra" / "cloudbuild").iterdir() if not path.suffix)
BUILDS = ("cloudbuild.yaml", *(f"infra/cloudbuild/{name}.yaml" for name in ("check", "plan", "apply")))

OF_A_BUILD = {"steps", "timeout", "options", "substitutions", "images", "artifacts", "tags", "serviceAccount"}
OF_A_STEP = {"id", "name", "waitFor", "entrypoint", "args", "env", "dir", "timeout", "secretEnv", "volumes", "script"}
OF_OPTIONS = {"logging", "machineType", "substitutionOption", "requestedVerifyOption", "dynamicSubstitutions"}
"""Fields of the API's Build, BuildStep and BuildOptions that are used here."""

BUILT_IN = {"BUILD_ID", "COMMIT_SHA", "PROJECT_ID"}
GIVEN = {
    "cloudbuild.yaml": "build",
    "infra/cloudbuild/check.yaml": "check",
    "infra/cloudbuild/plan.yaml": "plan",
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
    """What the trigger of bootstrap/ gives the build."""
    text = (ROOT / "infra" / "terraform" / "bootstrap" / "triggers.tf").read_text()
    trigger = re.search(
        rf'^resource "google_cloudbuild_trigger" "{GIVEN[name]}" .*?^}}$', text, re.MULTILINE | re.DOTALL
    )
    assert trigger is not None
    return set(re.findall(r"^ {4}(_[A-Z0-9_]+) +=", trigger[0], re.MULTILINE))


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
    for step in (step for step in steps(name) if "args" not in step):
        script = ROOT / step["entrypoint"]
        assert script in SCRIPTS, step["id"]
        assert os.access(script, os.X_OK), step["id"]
        first = script.read_text().splitlines()[0]
        assert first == ("#!/bin/sh" if step["name"].startswith("hashicorp/") else "#!/usr/bin/env bash"), step["id"]


def test_every_script_is_a_step() -> None:
    used = {ROOT / step["entrypoint"] for name in BUILDS for step in steps(name) if "args" not in step}

    assert used == set(SCRIPTS)


@pytest.mark.parametrize("name", BUILDS)
def test_steps_wait_for_steps_before_them(name: str) -> None:
    before: set[str] = set()
    for step in steps(name):
        assert set(step.get("waitFor", [])) - {"-"} <= before, step["id"]
        assert step["id"] not in before
        before.add(step["id"])


def test_nothing_is_planned_that_was_not_tested_scanned_and_tried() -> None:
    assert [step["id"] for step in steps("infra/cloudbuild/check.yaml")] == ["check", "check-terraform"]
    assert {step["id"] for step in steps("cloudbuild.yaml")} >= {"build", "attestations", "scan", "smoke"}
    assert [step["id"] for step in steps("infra/cloudbuild/plan.yaml")] == [
        "succeeded",
        "find-image",
        "tested",
        "builds",
        "keep-builds",
        "plan",
        "secrets",
        "keep-plan",
    ], "one after the other, as none says what it waits for"
    assert not any("waitFor" in step for step in steps("infra/cloudbuild/plan.yaml"))


def test_what_is_applied_is_fetched_before_and_looked_at_after() -> None:
    found = [step["id"] for step in steps("infra/cloudbuild/apply.yaml")]

    assert found == [
        "fetch",
        "fetch-plan",
        "count-workers",
        "apply",
        "restore-workers",
        "verify",
        "deploy",
        "roll-back",
        "finish",
    ]


@pytest.mark.parametrize("name", BUILDS)
def test_every_substitution_is_given_by_the_trigger(name: str) -> None:
    used = set(re.findall(r"\$\{?([A-Z0-9_]+)", (ROOT / name).read_text()))

    assert used <= substitutions(name) | BUILT_IN


@pytest.mark.parametrize("name", BUILDS)
def test_every_variable_a_script_insists_on_is_given(name: str) -> None:
    for step in (step for step in steps(name) if "args" not in step):
        given = {each.partition("=")[0] for each in step.get("env", [])}
        wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?\}", (ROOT / step["entrypoint"]).read_text()))
        assert wanted == given, step["id"]


def test_tests_run_on_the_python_of_the_image() -> None:
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert base is not None
    assert steps("infra/cloudbuild/check.yaml")[0]["name"] == base[1]


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
