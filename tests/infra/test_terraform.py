"""infra/terraform by the real terraform: its form, its sense, its own tests. What cannot be had here is skipped."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra.terraform import providers as sources
from tests.infra.terraform import readmes
from tests.infra.terraform.providers import Providers, ProvidersUnavailable, find
from tests.infra.terraform.tree import ENVIRONMENTS, FOLDERS, MODULES, PROJECT, TERRAFORM, TESTS
from tests.infra.terraform.workspace import Workspace
from worker.activity_options import DELIVERY


@pytest.fixture(scope="session")
def providers() -> Providers:
    try:
        return find()
    except ProvidersUnavailable as unavailable:
        pytest.skip(f"Terraform is not checked: {unavailable}")


@pytest.fixture(scope="session")
def workspace(providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.copy_to(tmp_path_factory.mktemp("terraform"), providers)


def test_without_a_registry_and_a_stand_in_somebody_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(sources, "_try_registry", lambda environment: "out of reach")
    monkeypatch.setattr(sources, "STAND_IN", tmp_path)

    with pytest.raises(ProvidersUnavailable, match=r"no provider registry \(out of reach\), and no stand-in"):
        sources.find.__wrapped__()


def test_without_terraform_somebody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    with pytest.raises(ProvidersUnavailable, match="terraform is not installed"):
        sources.find.__wrapped__()


def test_the_files_are_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not checked: terraform is not installed")

    result = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)], capture_output=True, text=True
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_valid(workspace: Workspace, folder: str) -> None:
    workspace.initialise(folder)

    _, said = workspace.run(folder, "validate", "-no-color")

    assert "Success! The configuration is valid." in said
    assert "Warning" not in said


@pytest.mark.parametrize(("folder", "file"), TESTS)
def test_terraforms_own_tests_pass(workspace: Workspace, folder: str, file: str) -> None:
    if not workspace.providers.is_stand_in and "mock_provider" not in (TERRAFORM / folder / file).read_text():
        pytest.skip("applies things: with the stand-in only, or it would want a project of Google's")
    workspace.initialise(folder)

    _, said = workspace.run(folder, "test", "-no-color", f"-filter={file}")

    assert "Success!" in said
    assert "Success! 0 passed" not in said


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("kind", ["variable", "output"])
def test_variables_and_outputs_are_in_order_and_described(folder: str, kind: str) -> None:
    found = readmes.blocks(folder, kind)

    assert found
    assert list(found) == sorted(found)
    assert [name for name, body in found.items() if not readmes.description(body)] == []
    declared = sum(
        path.read_text().count(f'\n{kind} "') + path.read_text().startswith(f'{kind} "')
        for path in (TERRAFORM / folder).glob("*.tf")
    )
    assert declared == len(found), f"every {kind} belongs into {kind}s.tf"


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "modules/observability"])
def test_a_readme_shows_the_variables_and_outputs_there_are(folder: str) -> None:
    assert readmes.current(folder) == readmes.tables(folder), "run `infra/terraform/check tables`"


def test_nothing_but_what_believes_signatures_alone_is_for_everybody() -> None:
    granted = [
        f"{path.relative_to(TERRAFORM)}: {line.strip()}"
        for path in TERRAFORM.rglob("*.tf")
        for line in path.read_text().splitlines()
        if ("allUsers" in line or "allAuthenticatedUsers" in line) and "error_message" not in line
    ]

    webhook = [
        'modules/function/main.tf: member   = "allUsers"'
    ]  # nobody else's: var.public's validation, and its test
    assert [line for line in granted if "setintersection(" not in line] == webhook
    assert len(granted) >= 5, "the guards name it"


def test_no_secret_is_written_where_it_would_be_kept() -> None:
    kept = [
        f"{path.relative_to(TERRAFORM)}: {line.strip()}"
        for path in TERRAFORM.rglob("*.tf")
        for line in path.read_text().splitlines()
        if line.split("=")[0].strip() == "secret_data"
    ]

    assert kept == []


def test_the_lease_outlasts_the_heartbeat_of_a_dead_workers_delivery_and_the_drain() -> None:
    refusal = (TERRAFORM / "xnovu_app" / "variables.tf").read_text()

    heartbeat = DELIVERY["heartbeat_timeout"].total_seconds()

    assert f"after {heartbeat:.0f} s without heartbeat" in refusal
    assert "notification_claim_lease_seconds >= 30" in refusal
    assert heartbeat + 10 <= 30


def test_no_policy_speaks_of_images_that_are_never_deleted() -> None:
    """Google's cleanup deletes no version that has a tag, where tags are immutable."""
    text = (TERRAFORM / "modules" / "registry" / "main.tf").read_text()
    images, cache = text.split('resource "google_artifact_registry_repository" "cache"')

    assert "immutable_tags = true" in images
    assert re.findall(r'tag_state +=( "\w+")', images) == [' "UNTAGGED"']
    assert "keep_count" not in images
    assert "immutable_tags" not in cache


def test_the_providers_are_of_the_version_that_was_run() -> None:
    pinned = [
        found
        for path in TERRAFORM.rglob("versions.tf")
        for found in re.findall(r'^ +version = "(.*)"$', path.read_text(), re.MULTILINE)
    ]

    assert set(pinned) == {">= 7.45, < 8.0"}


def test_every_module_is_used() -> None:
    sources = {
        (path.parent / line.split('"')[1]).resolve()
        for path in TERRAFORM.rglob("*.tf")
        for line in path.read_text().splitlines()
        if line.strip().startswith("source") and ".." in line
    }

    assert sources == {(TERRAFORM / module).resolve() for module in MODULES}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_variable_that_is_declared_is_used(folder: str) -> None:
    text = "".join(path.read_text() for path in (TERRAFORM / folder).glob("*.tf") if path.name != "variables.tf")

    assert [name for name in readmes.blocks(folder, "variable") if not re.search(rf"\bvar\.{name}\b", text)] == []


def test_what_a_module_of_the_root_can_be_told_the_root_can_be_told() -> None:
    """But for what is ours to say: what each part is and does."""
    ours = {"function": {"cpu", "memory", "concurrency", "max_instances", "cpu_always", "public", "timeout_seconds"}}
    root = "".join(path.read_text() for path in (TERRAFORM / "xnovu_app").glob("*.tf"))
    calls = re.findall(
        r'^module "(\w+)" \{\n  source += "\.\./modules/(\w+)"\n(.*?)^\}', root, re.MULTILINE | re.DOTALL
    )

    assert len(calls) >= 9
    for name, module, body in calls:
        given = {*re.findall(r"^  (\w+) += ", body, re.MULTILINE)}
        unsaid = readmes.blocks(f"modules/{module}", "variable").keys() - given
        assert unsaid <= ours.get(module, set()), name
        if module == "function" and name != "autoscale":
            assert not unsaid & {"cpu", "memory", "concurrency"}, name


def test_environments_differ_in_values_only() -> None:
    declared = readmes.blocks("xnovu_app", "variable")
    given = {name: (TERRAFORM / "environments" / name / "example.tfvars").read_text() for name in ENVIRONMENTS}

    assert ENVIRONMENTS == ("dev", "prod", "staging")
    assert not list((TERRAFORM / "environments").rglob("*.tf"))
    for text in given.values():
        named = re.findall(r"^(\w+) += ", text, re.MULTILINE)
        assert set(named) <= set(declared)
        needed = {name for name, body in declared.items() if "default" not in body and name != "image"}
        assert needed <= set(named)
    assert len({tuple(re.findall(r"^(\w+) += ", text, re.MULTILINE)) for text in given.values()}) == 1


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    checkov = shutil.which(
        "checkov", path=os.pathsep.join([str(PROJECT / "build" / "checkov" / "bin"), os.environ["PATH"]])
    )
    if checkov is None:
        pytest.skip("checkov is not installed: `infra/terraform/get_checkov` installs it into build/")
    options = ["--framework=terraform", "--skip-download", "--compact", "--skip-path=/tests/"]
    command = [checkov, f"--directory={TERRAFORM}", *options]

    result = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=tmp_path)

    assert result.returncode == 0, result.stdout
    summary = re.search(r"Passed checks: (\d+), Failed checks: 0, Skipped checks: \d+\n", result.stdout)
    assert summary, result.stdout
    assert int(summary.group(1)) > 25
