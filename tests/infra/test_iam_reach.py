"""What bootstrap and a deployment grant: who can reach what, transitively; no more than that, and no less."""

from collections.abc import Callable, Iterator

import pytest

from tests.infra.terraform import reach
from tests.infra.terraform.bootstrapped import READERS, bootstrapped, production
from tests.infra.terraform.reach import Binding, There, granted, reached

TESTING, LIVE = "my-project", "my-project-prod"
PARTS = ("autoscale", "health", "listener", "status", "trigger", "webhook", "worker")
UPTIME_CHECKS = "serviceAccount:service-411690798401@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
"""Of production's project, whose number the stand-in makes of its name."""
SECRETS = ("novu-secret-key", "supabase-service-role-key", "temporal-api-key")


def account(name: str, project: str = TESTING) -> str:
    return f"serviceAccount:xnovu-{name}@{project}.iam.gserviceaccount.com"


def of_environment(environment: str) -> list[str]:
    project = LIVE if environment == "prod" else TESTING
    names = [f"planner-{environment}", f"applier-{environment}", *(f"{environment}-{part}" for part in PARTS)]
    return [account(name, project) for name in [*names, f"{environment}-scheduler", f"{environment}-invoker"]]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> There:
    """Both projects, as their examples have them, and what is deployed into production's."""
    testing, live = bootstrapped(tmp_path_factory)
    return reach.read(testing) + reach.read(live, *production(tmp_path_factory))


def wrong(there: There) -> Iterator[str]:
    """Every path that there must not be."""
    environments = {name: of_environment(name) for name in ("dev", "staging", "prod")}
    appliers = {account(f"applier-{name}", LIVE if name == "prod" else TESTING) for name in environments}
    for binding in there.bindings:
        # Novu calls the webhook, which believes signatures only.
        is_webhook = binding.on.endswith("-webhook") and binding.powers == {"call"}
        if binding.member in reach.EVERYBODY and not is_webhook:
            yield f"everybody may {sorted(binding.powers)} on {binding.on}"
    for name in ("checker", "builder"):
        for project in (TESTING, LIVE):
            for end in reached(there, account(name, project), approved=True):
                yield f"what runs as {name} reaches {end}"
    for name, members in environments.items():
        elsewhere = {each for other, others in environments.items() if other != name for each in others}
        for member in members:
            found = reached(there, member, approved=True)
            yield from (f"{member} reaches {end}" for end in found & elsewhere)
            yield from (
                f"{member} reads {end}" for end in found if end.startswith("secret:") and f"-{name}-" not in end
            )
            if name != "dev":  # in dev nobody approves
                yield from (f"{member} applies unseen" for end in reached(there, member) & appliers)
            part = member.partition("@")[0].rpartition("-")[2]
            if part in PARTS:
                # Whoever scales the worker is as good as the worker; nobody else is somebody else.
                allowed = _own(there, member) | (
                    {_sibling(member, "worker")} | _own(there, _sibling(member, "worker"))
                    if part == "autoscale"
                    else set()
                )
                yield from (f"{member} reaches {end}" for end in found - allowed)
                if part != "worker" and any("novu-secret-key" in end for end in _own(there, member)):
                    yield f"{member} reads Novu's key"


def _own(there: There, member: str) -> set[str]:
    return {f"secret:{each.on}" for each in there.bindings if each.member == member and "read secret" in each.powers}


def _sibling(member: str, part: str) -> str:
    name, _, domain = member.partition("@")
    return f"{name.rpartition('-')[0]}-{part}@{domain}"


def needs() -> Iterator[tuple[str, str, str]]:
    """Who has to be able to do what with what, for the steps of infra/cloudbuild and for what they roll out."""
    for project in (TESTING, LIVE):
        yield account("checker", project), "write logs", project
        yield from ((account("builder", project), power, project) for power in ("write logs", "scan", "read findings"))
        yield "group:xnovu-approvers@example.org", "approve", project
    yield account("builder"), "push images", "xnovu"  # cloudbuild.yaml: build
    yield account("builder"), "push images", "xnovu-cache"
    # Production runs what staging has tested.
    pulling = [*READERS.values(), account("planner-dev"), account("planner-staging")]
    yield from ((member, "pull images", "xnovu") for member in pulling)
    yield account("planner-prod", LIVE), "read objects", "xnovu/staging/tested/0f1e"
    for environment in ("dev", "staging", "prod"):
        project = LIVE if environment == "prod" else TESTING
        planner, applier = account(f"planner-{environment}", project), account(f"applier-{environment}", project)
        for power in ("look", "look at policies", "look at secrets", "write logs"):
            yield planner, power, project
        yield planner, "read objects", f"xnovu/{environment}/default.tfstate"  # terraform init and plan
        yield planner, "overwrite objects", f"xnovu/{environment}/default.tflock"
        # keep_plan: gcloud looks whether it is there before it writes it.
        yield planner, "create objects", f"plans/{environment}/b/saved.tfplan"
        yield planner, "read objects", f"plans/{environment}/b/saved.tfplan"
        for power in ("look", "look at secrets", "write logs", "change what runs", "change schedules"):
            yield applier, power, project
        for power in ("change networks", "change metrics of logs", "change alerts"):
            yield applier, power, project
        yield applier, "overwrite objects", f"xnovu/{environment}/image"  # apply, finish
        yield applier, "read objects", f"plans/{environment}/b/saved.tfplan"  # fetch_plan
        yield from ((each, "list objects", "-xnovu-terraform/objects/") for each in (planner, applier))
        yield applier, "be known", applier.removeprefix("serviceAccount:")  # verify
        for part in PARTS:
            member = account(f"{environment}-{part}", project)
            yield applier, "act", member.removeprefix("serviceAccount:")
            yield from ((member, power, project) for power in ("use services", "write metrics", "write traces"))
            secrets = SECRETS if part == "worker" else SECRETS[1:2] if part == "webhook" else SECRETS[1:]
            yield from ((member, "read secret", f"xnovu-{environment}-{secret}") for secret in secrets)
        for caller in ("scheduler", "invoker"):
            yield applier, "act", account(f"{environment}-{caller}", project).removeprefix("serviceAccount:")
        scaler = account(f"{environment}-autoscale", project)
        yield scaler, "watch operations", project
        yield scaler, "act", _sibling(scaler, "worker").removeprefix("serviceAccount:")


def deployed() -> Iterator[tuple[str, str, str]]:
    """Of a deployment: who calls its functions, and who scales its workers."""
    yield "allUsers", "call", "xnovu-prod-webhook"
    yield UPTIME_CHECKS, "call", "xnovu-prod-health"
    yield account("prod-scheduler", LIVE), "call", "xnovu-prod-autoscale"
    yield from ((account("applier-prod", LIVE), "call", f"xnovu-prod-{name}") for name in ("status", "trigger"))
    for power in ("look at pool", "change pool"):
        yield account("prod-autoscale", LIVE), power, "xnovu-prod-worker"


def unmet(there: There) -> list[tuple[str, str, str]]:
    return [each for each in [*needs(), *deployed()] if not granted(there, *each)]


def test_nobody_reaches_what_is_not_theirs(there: There) -> None:
    assert list(wrong(there)) == []


def test_everybody_can_do_what_is_needed(there: There) -> None:
    assert unmet(there) == []


def test_every_binding_is_needed(there: There) -> None:
    spare = [binding for binding in there.bindings if not unmet(there.without(binding))]

    assert spare == []
    assert len(there.bindings) > 150


BINDINGS: dict[str, Callable[[], Binding]] = {
    "test code acts as an applier": lambda: _on_account(account("checker"), account("applier-dev")),
    "test code starts builds": lambda: Binding(
        account("checker"), frozenset({"start builds"}), "google_project_iam_member", TESTING
    ),
    "test code writes a plan": lambda: _on_objects(account("checker"), TESTING, "plans/dev/"),
    "the builder acts as a planner": lambda: _on_account(account("builder"), account("planner-staging")),
    "the builder publishes": lambda: Binding(
        account("builder"), frozenset({"publish"}), "google_project_iam_member", TESTING
    ),
    "a planner writes the state": lambda: _on_objects(account("planner-staging"), TESTING, "xnovu/staging/"),
    "dev acts as production": lambda: _on_account(account("applier-dev"), account("applier-prod", LIVE)),
    "dev administers production": lambda: Binding(
        account("applier-dev"), reach.POWERS["roles/resourcemanager.projectIamAdmin"], "google_project_iam_member", LIVE
    ),
    "dev acts as any account of its project": lambda: Binding(
        account("applier-dev"), reach.POWERS["roles/iam.serviceAccountUser"], "google_project_iam_member", TESTING
    ),
    "a function reads another's secret": lambda: Binding(
        account("prod-trigger", LIVE),
        frozenset({"read secret"}),
        "google_secret_manager_secret_iam_member",
        "xnovu-prod-novu-secret-key",
    ),
    "a function acts as another": lambda: _on_account(account("dev-status"), account("dev-worker")),
    "everybody calls a function": lambda: Binding(
        "allUsers", frozenset({"call"}), "google_cloud_run_v2_service_iam_member", "xnovu-prod-trigger"
    ),
}


def _on_account(member: str, other: str) -> Binding:
    name = other.removeprefix("serviceAccount:")
    return Binding(
        member, frozenset({"act"}), "google_service_account_iam_member", f"projects/p/serviceAccounts/{name}"
    )


def _on_objects(member: str, project: str, objects: str) -> Binding:
    where = f"projects/_/buckets/{project}-xnovu-terraform/objects/{objects}"
    return Binding(member, frozenset({"create objects"}), "google_storage_bucket_iam_member", where)


@pytest.mark.parametrize("name", BINDINGS)
def test_one_binding_too_many_is_found(there: There, name: str) -> None:
    assert list(wrong(there.having(BINDINGS[name]()))) != []


def test_a_role_that_nobody_has_described_is_refused() -> None:
    values = {"member": "user:a", "role": "roles/unheard.of", "project": "p"}
    resource = {"mode": "managed", "type": "google_project_iam_member", "values": values}

    with pytest.raises(KeyError, match=r"unheard\.of"):
        reach.read({"root_module": {"resources": [resource]}})
