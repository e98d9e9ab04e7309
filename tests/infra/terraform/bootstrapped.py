"""Both projects of the examples as bootstrap makes them with the stand-in, and production: once for all tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform.providers import ProvidersUnavailable, alone, find
from tests.infra.terraform.workspace import Deployment, Workspace


def bootstrapped(factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """`values` of `terraform show -json`: of the project for tests, and of production's. Skips without the stand-in."""
    return _once(factory, "bootstrapped", _apply)


def production(factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """`planned_values` of production's deployment, alone in a list, with all that it can have. Skips like the other."""
    return _once(factory, "production", _plan)


def _once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Workspace], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    try:
        providers = find()
    except ProvidersUnavailable as unavailable:
        pytest.skip(f"Terraform is not checked: {unavailable}")
    if not providers.is_stand_in:
        pytest.skip("the registry's providers would make accounts in a real project")
    made = _of_all_processes(factory) / f"{name}.json"
    with alone(made.with_suffix(".lock")):
        if not made.exists():
            made.write_text(json.dumps(make(Workspace.copy_to(factory.mktemp("iam") / "terraform", providers))))
    found: list[dict[str, Any]] = json.loads(made.read_text())
    return found


def _of_all_processes(factory: pytest.TempPathFactory) -> Path:
    own = factory.getbasetemp()
    return own.parent if own.name.startswith("popen-") else own


READERS = {
    "prod_planner": "serviceAccount:xnovu-planner-prod@my-project-prod.iam.gserviceaccount.com",
    "prod_runs": "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com",
}
"""Of production, at the project for tests: as its example has them."""


def _apply(workspace: Workspace) -> list[dict[str, Any]]:
    deployment = Deployment(workspace, "bootstrap")
    tested = {"prod_planner": {"member": READERS["prod_planner"], "environment": "staging"}}
    deployment.apply(f"-var=image_readers={json.dumps(READERS)}", f"-var=tested_readers={json.dumps(tested)}")
    testing = deployment.values()
    (workspace.folder / "bootstrap" / "terraform.tfstate").unlink()
    deployment.apply("-var-file=example.prod.tfvars")
    return [testing, deployment.values()]


def _plan(workspace: Workspace) -> list[dict[str, Any]]:
    versions = {
        "novu_secret_key": 1,
        "novu_webhook_secrets": 1,
        "supabase_service_role_key": 1,
        "temporal_api_key": 1,
    }
    Deployment(workspace, "prod").plan("-out=saved.tfplan", f"-var=secret_versions={json.dumps(versions)}")
    said = workspace.run("xnovu_app", "show", "-json", "saved.tfplan")[1]
    return [json.loads(said)["planned_values"]]


def triggers(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of Cloud Build."""
    found = values["root_module"]["resources"]
    return [each["values"] for each in found if each["type"] == "google_cloudbuild_trigger"]
