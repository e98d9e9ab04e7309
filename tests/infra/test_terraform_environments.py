"""Every environment is rolled out and taken down with the stand-in, which answers for Google."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.autoscale_settings import AutoscaleSettings
from functions.settings import FunctionsSettings
from shared.settings import Environment, ListenerSettings, WorkerSettings
from tests.infra.terraform.providers import ProvidersUnavailable, find
from tests.infra.terraform.tree import PROJECT
from tests.infra.terraform.workspace import IMAGE, Deployment, Workspace

PARTS = ("listener", "worker", "health", "status", "trigger", "autoscale")
SECRETS = ("novu_secret_key", "novu_webhook_secrets", "supabase_service_role_key", "temporal_api_key")
PROTECTED = ("google_cloud_run_v2_service", "google_cloud_run_v2_worker_pool")

SETTINGS: dict[str, type[Environment]] = {
    "listener": ListenerSettings,
    "worker": WorkerSettings,
    "health": FunctionsSettings,
    "status": FunctionsSettings,
    "trigger": FunctionsSettings,
    "autoscale": AutoscaleSettings,
}

Deploy = Callable[[str], Deployment]


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    """An environment, or bootstrap, as its first apply leaves it: made once, and copied by tests that change it."""
    try:
        providers = find()
    except ProvidersUnavailable as unavailable:
        pytest.skip(f"Terraform is not checked: {unavailable}")
    if not providers.is_stand_in:
        pytest.skip("the registry's providers would roll out into a real project: only the stand-in is applied with")
    made: dict[str, Deployment] = {}

    def apply(name: str) -> Deployment:
        if name not in made:
            workspace = Workspace.copy_to(tmp_path_factory.mktemp(name) / "terraform", providers)
            made[name] = Deployment(workspace, name)
            made[name].apply()
        return made[name]

    return apply


@pytest.fixture
def deploy(applied: Deploy, tmp_path: Path) -> Deploy:
    return lambda name: Deployment(applied(name).workspace.copied_to(tmp_path / "terraform"), name)


@pytest.fixture
def nothing(tmp_path: Path, applied: Deploy) -> Deploy:
    """Not applied yet."""
    return lambda name: Deployment(Workspace.copy_to(tmp_path / "terraform", find()), name)


def running(deployment: Deployment) -> set[str]:
    """Names of the services and pools there are."""
    return {
        instance["attributes"]["name"]
        for resource in deployment.resources().values()
        if resource["type"] in PROTECTED
        for instance in resource["instances"]
    }


def environment_of(deployment: Deployment, name: str) -> dict[str, str]:
    """What a part finds in its environment; secrets are a word."""
    (container,) = (
        instance["attributes"]["template"][0]["containers"][0]
        for resource in deployment.resources().values()
        if resource["type"] in PROTECTED
        for instance in resource["instances"]
        if instance["attributes"]["name"] == name
    )
    return {variable["name"]: variable["value"] or "secret" for variable in container["env"]}


def set_instances(deployment: Deployment, name: str, number: int) -> None:
    """As if somebody had changed the pool's number."""
    there = json.loads(deployment.workspace.world.read_text())
    (pool,) = (key for key in there if key.endswith(f"/workerPools/{name}"))
    there[pool]["instances"] = number
    deployment.workspace.world.write_text(json.dumps(there))


def instances(deployment: Deployment, name: str) -> int:
    """The pool's number at Google."""
    there = json.loads(deployment.workspace.world.read_text())
    (number,) = (each["instances"] for key, each in there.items() if key.endswith(f"/workerPools/{name}"))
    return int(number)


def pass_hours(deployment: Deployment) -> None:
    """Until Google has given back the addresses of what is gone."""
    there = json.loads(deployment.workspace.world.read_text())
    deployment.workspace.world.write_text(
        json.dumps({name: each for name, each in there.items() if not name.startswith("addresses of")})
    )


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_an_environment_is_rolled_out_and_goes_without_a_rest(deploy: Deploy, environment: str) -> None:
    deployment = deploy(environment)

    assert deployment.plan() == "empty"
    assert running(deployment) == {f"xnovu-{environment}-{part}" for part in PARTS}

    deployment.destroy()

    assert deployment.resources() == {}


@pytest.mark.whole
def test_production_loses_nothing_until_it_is_decommissioned(deploy: Deploy) -> None:
    deployment = deploy("prod")
    assert deployment.plan() == "empty"
    before = deployment.resources()

    said = deployment.destroy(allowed=(1,))

    assert "apply with -var decommissioning=true first" in said
    assert deployment.resources().keys() == before.keys()
    moved = deployment.apply("-var=region=europe-west1", allowed=(1,))
    assert "apply with -var decommissioning=true first" in moved[1]
    assert deployment.resources().keys() == before.keys()

    deployment.apply("-var=decommissioning=true")
    deployment.destroy("-var=decommissioning=true")

    assert deployment.resources() == {}


@pytest.mark.whole
@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_first_apply_that_fails_at_every_resource_is_finished_by_the_next(nothing: Deploy, environment: str) -> None:
    """As when a container does not start: Terraform takes it for broken, and replaces it, in production too."""
    deployment = nothing(environment)
    fails = {"STAND_IN_FAILS_ONCE": "1"}
    failed = 0

    for _ in range(12):
        code, said = deployment.apply(allowed=(0, 1), environment=fails)
        failed += said.count("it did not become ready")
        assert "deletion_protection" not in said
        if code == 0:
            break

    assert code == 0, said
    assert failed > 50
    assert deployment.plan() == "empty"
    assert running(deployment) == {f"xnovu-{environment}-{part}" for part in PARTS}


@pytest.mark.whole
def test_a_region_is_moved_and_its_network_follows_when_google_lets_go(deploy: Deploy) -> None:
    deployment = deploy("dev")
    own_network = "-var=static_egress_cidr=10.8.0.0/24"
    deployment.apply(own_network)

    code, said = deployment.apply(own_network, "-var=region=europe-west1", allowed=(0, 1))

    # The services run in the new region; of the old one the subnetwork is left, whose addresses Google keeps for hours.
    assert code == 1
    assert "resourceInUseByAnotherResource" in said
    assert "Cannot delete check" not in said
    pass_hours(deployment)
    deployment.apply(own_network, "-var=region=europe-west1")
    assert deployment.plan(own_network, "-var=region=europe-west1") == "empty"

    # Taken down there, it leaves the new subnetwork for the same hours; then nothing.
    moved = ("-var=region=europe-west1", own_network)
    assert "resourceInUseByAnotherResource" in deployment.destroy(*moved, allowed=(1,))
    assert {each for each in deployment.resources() if "worker_pool" in each or "service" in each} == set()
    pass_hours(deployment)
    deployment.destroy(*moved)
    assert deployment.resources() == {}


def test_who_calls_a_function_is_not_said_in_its_settings(applied: Deploy) -> None:
    said = applied("dev").refused('-var=function_settings={"FUNCTIONS_API_KEYS": "x"}')

    assert "function_settings must hold no secrets" in said


def test_the_values_of_another_environment_are_refused_on_a_state(deploy: Deploy) -> None:
    deployment = deploy("dev")

    said = Deployment(deployment.workspace, "staging").refused()

    assert "This is the state of dev, and the values are those of staging" in said


def test_every_part_is_given_what_its_settings_want(applied: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = applied("prod")
    documented = "".join((PROJECT / "docs" / name).read_text() for name in ("configuration.md", "metrics.md"))
    own = {
        name
        for name in os.environ
        if name.startswith(("AUTOSCALE_", "TEMPORAL_", "SUPABASE_", "NOVU_", "DAEMON_", "OTEL_"))
    }
    for name in own:
        monkeypatch.delenv(name)

    seen = {}
    for part, settings in SETTINGS.items():
        given = environment_of(deployment, f"xnovu-prod-{part}")
        with monkeypatch.context() as process:
            for name, value in given.items():
                process.setenv(name, value)
            seen[part] = settings.load().model_dump()
        assert {name for name in given if f"`{name}`" not in documented} <= {"GOOGLE_CLOUD_PROJECT"}

        assert given["OTEL_SERVICE_NAME"] == f"xnovu-prod-{part}"  # by which alerts know this deployment's metrics

    assert seen["worker"]["xnovu_build"] == seen["health"]["xnovu_build"] == IMAGE.partition("@")[2]
    assert seen["worker"]["probe_port"] == seen["listener"]["probe_port"] == 8080
    assert (
        seen["autoscale"]["autoscale_worker_pool"]
        == "projects/my-project-prod/locations/europe-west3/workerPools/xnovu-prod-worker"
    )
    assert seen["trigger"]["functions_trust_platform_identity"] is True
    assert seen["trigger"]["daemon_enterprise_ids"] == seen["listener"]["daemon_enterprise_ids"] == ("acme",)


def test_what_the_root_is_told_arrives(nothing: Deploy) -> None:
    deployment = nothing("dev")
    size = {"cpu": "2", "memory": "2Gi"}
    told = {
        "function_settings": {"FUNCTIONS_TRIGGER_BURST": "told"},
        "function_size": {"cpu": 2, "memory": "1Gi", "concurrency": 7},
        "health_invokers": {"told": "group:told@example.org"},
        "listener_settings": {"LISTENER_TOLD": "told"},
        "listener_size": size,
        "log_level": "debug",
        "novu_api_url": "https://novu.told",
        "scheduler_region": "europe-west1",
        "secret_versions": dict.fromkeys(SECRETS, 1),
        "vpc_access": {"network": "told", "subnetwork": "told"},
        "worker_settings": {"WORKER_TOLD": "told"},
        "worker_size": size,
    }
    given = [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in told.items()]
    deployment.plan("-out=saved.tfplan", *given)
    planned = json.loads(deployment.workspace.run(deployment.where, "show", "-json", "saved.tfplan")[1])
    root = planned["planned_values"]["root_module"]
    found = [each for module in [root, *root["child_modules"]] for each in module["resources"]]

    runs = {each["values"]["name"]: each["values"]["template"][0] for each in found if each["type"] in PROTECTED}
    assert runs.keys() == {f"xnovu-dev-{part}" for part in [*PARTS, "webhook"]}
    for name, template in runs.items():
        part, (container,) = name.removeprefix("xnovu-dev-"), template["containers"]
        settings = {each["name"]: each["value"] for each in container["env"]}
        own = {"listener": "LISTENER_TOLD", "worker": "WORKER_TOLD"}.get(part, "FUNCTIONS_TRIGGER_BURST")
        limits, calls = container["resources"][0]["limits"], template.get("max_instance_request_concurrency")
        assert settings["DAEMON_LOG_LEVEL"] == "debug", name
        assert settings.get(own) == (None if part == "webhook" else "told"), name
        assert template["vpc_access"][0]["network_interfaces"][0]["network"] == "told", name
        if part in ("listener", "worker"):
            assert limits == size
        elif part != "autoscale":
            assert (limits, calls) == ({"cpu": "2", "memory": "1Gi"}, 7)
        if part == "worker":
            assert settings["NOVU_API_URL"] == "https://novu.told"
    assert [each["values"]["region"] for each in found if "scheduler_job" in each["type"]] == ["europe-west1"]
    assert "group:told@example.org" in [each["values"].get("member") for each in found]


def test_the_number_that_the_scaler_set_is_left_alone_and_any_other_is_put_right(deploy: Deploy) -> None:
    deployment = deploy("staging")

    set_instances(deployment, "xnovu-staging-worker", 4)

    assert deployment.plan() == "empty"

    set_instances(deployment, "xnovu-staging-listener", 0)

    assert deployment.plan() == "changes"


@pytest.mark.whole
def test_a_pool_changes_hands_without_going_away(deploy: Deploy) -> None:
    deployment = deploy("dev")
    pool = 'module.worker["xnovu-dev-worker"].google_cloud_run_v2_worker_pool'
    set_instances(deployment, "xnovu-dev-worker", 4)

    # What else is changed of a scaler's pool hands its number back.
    deployment.apply("-var=log_level=debug")
    assert instances(deployment, "xnovu-dev-worker") == 4
    fixed = ("-var=autoscaler=fixed", "-var=worker_instances=2")
    said = deployment.apply(*fixed)[1]

    assert f"{pool}.main: Modifying" in said
    assert instances(deployment, "xnovu-dev-worker") == 2
    assert deployment.plan(*fixed) == "empty"
    deployment.apply()
    assert (instances(deployment, "xnovu-dev-worker"), deployment.plan()) == (2, "empty")


@pytest.mark.whole
@pytest.mark.parametrize("before", ["fixed", "scaled"])
def test_a_pool_of_before_is_known_again(deploy: Deploy, before: str) -> None:
    """It was written twice, under these names."""
    deployment = deploy("dev")
    pool = 'module.worker["xnovu-dev-worker"].google_cloud_run_v2_worker_pool'
    deployment.workspace.run(deployment.where, "state", "mv", f"{pool}.main", f"{pool}.{before}[0]")

    said = deployment.apply()[1]

    assert "0 added, 0 changed, 0 destroyed" in said
    assert deployment.plan() == "empty"


@pytest.mark.whole
def test_an_environment_is_rolled_out_otherwise(deploy: Deploy) -> None:
    """Scaled by Temporal, a pool for each build, objectives on delivery, a pager: all at once, none minds another."""
    deployment = deploy("dev")
    options = [
        "-var=autoscaler=temporal",
        "-var=worker_versioning=true",
        f'-var=worker_builds=["europe-west3-docker.pkg.dev/my-project/xnovu/xnovu@sha256:{"f" * 64}"]',
        "-var=delivery_slos=true",
        "-var=pagerduty_service_key_version=1",
    ]
    environment = {"TF_VAR_pagerduty_service_key": "not-to-be-seen"}

    deployment.apply(*options, environment=environment)

    assert deployment.plan(*options, environment=environment) == "empty"
    assert "not-to-be-seen" not in json.dumps(deployment.workspace.state(deployment.where))
    deployment.destroy(*options, environment=environment)
    assert deployment.resources() == {}


def test_the_project_is_made_ready_and_secrets_are_kept_nowhere(deploy: Deploy) -> None:
    deployment = deploy("bootstrap")
    environments = {
        "dev": {"branch": "^main$", "written_secrets": {"novu_secret_key": 1}},
        "staging": {"branch": "^release$"},
    }
    written = f"-var=environments={json.dumps(environments)}"
    values = {"TF_VAR_secret_values": json.dumps({"dev": {"novu_secret_key": "not-to-be-seen"}})}

    deployment.apply(written, environment=values)

    assert deployment.plan(written, environment=values) == "empty"
    saved = deployment.workspace.run(deployment.where, "show", "-json", "saved.tfplan")[1]
    assert '"secret_data_wo_version":1' in saved
    assert "not-to-be-seen" not in saved
    assert "not-to-be-seen" not in json.dumps(deployment.workspace.state(deployment.where))

    environments["dev"] = {"branch": "^main$"}
    deployment.apply(f"-var=environments={json.dumps(environments)}")

    assert not any(
        resource["type"] == "google_secret_manager_secret_version" for resource in deployment.resources().values()
    )


def test_the_state_and_the_secrets_cannot_be_destroyed_by_mistake(deploy: Deploy) -> None:
    deployment = deploy("bootstrap")
    before = set(deployment.resources())

    said = deployment.destroy(allowed=(1,))

    assert "Instance cannot be destroyed" in said
    assert "google_storage_bucket.state" in said
    assert set(deployment.resources()) == before
    secrets = [r for r in deployment.resources().values() if r["type"] == "google_secret_manager_secret"]
    assert secrets
    assert all(instance["attributes"]["deletion_protection"] for r in secrets for instance in r["instances"])
