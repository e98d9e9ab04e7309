"""Who can reach what: computed from the bindings, roles and triggers that Terraform makes (`terraform show -json`).

Pure. Somebody *reaches* an account whose powers it can have (by acting as it, by starting a build that runs as it, by
writing what it will run), and a secret that any account it reaches may read. Some edges are *gated*: a person approves.
A role that is not described here is refused: say what it allows before it is given to anybody.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EVERYBODY = ("allUsers", "allAuthenticatedUsers")

POWERS: Mapping[str, frozenset[str]] = {
    role: frozenset(powers)
    for role, powers in {
        "roles/artifactregistry.reader": {"pull images"},
        "roles/artifactregistry.writer": {"push images"},
        "roles/cloudbuild.builds.approver": {"approve"},
        "roles/cloudbuild.builds.editor": {"start builds"},
        "roles/cloudscheduler.admin": {"change schedules"},
        "roles/compute.networkAdmin": {"change networks"},
        "roles/containeranalysis.occurrences.viewer": {"read findings"},
        "roles/editor": {"act", "start builds", "push images", "publish", "change what runs"},
        "roles/iam.securityReviewer": {"look at policies"},
        "roles/iam.serviceAccountAdmin": {"act", "change policies"},
        "roles/iam.serviceAccountOpenIdTokenCreator": {"be known"},
        "roles/iam.serviceAccountTokenCreator": {"act"},
        "roles/iam.serviceAccountUser": {"act"},
        "roles/logging.configWriter": {"change metrics of logs"},
        "roles/logging.logWriter": {"write logs"},
        "roles/monitoring.editor": {"change alerts"},
        "roles/ondemandscanning.admin": {"scan"},
        "roles/owner": {"act", "start builds", "push images", "publish", "change what runs", "change policies"},
        "roles/pubsub.publisher": {"publish"},
        "roles/resourcemanager.projectIamAdmin": {"change policies"},
        "roles/run.admin": {"change what runs"},
        "roles/run.invoker": {"call"},
        "roles/secretmanager.admin": {"read secret", "change policies"},
        "roles/secretmanager.secretAccessor": {"read secret"},
        "roles/secretmanager.viewer": {"look at secrets"},
        "roles/serviceusage.serviceUsageConsumer": {"use services"},
        "roles/storage.legacyBucketReader": {"list objects"},
        "roles/storage.objectCreator": {"create objects"},
        "roles/storage.objectUser": {"create objects", "overwrite objects", "read objects"},
        "roles/storage.objectViewer": {"read objects"},
        "roles/telemetry.metricsWriter": {"write metrics"},
        "roles/telemetry.tracesWriter": {"write traces"},
        "roles/viewer": {"look"},
    }.items()
}
_OF_PERMISSIONS = {
    "cloudbuild.builds.create": "start builds",
    "iam.serviceAccounts.actAs": "act",
    "iam.serviceAccounts.getAccessToken": "act",
    "pubsub.topics.publish": "publish",
    "run.operations.get": "watch operations",
    "run.workerpools.get": "look at pool",
    "run.workerpools.update": "change pool",
    "secretmanager.versions.access": "read secret",
}
_TARGETS = {
    "google_artifact_registry_repository_iam_member": "repository",
    "google_cloud_run_v2_service_iam_member": "name",
    "google_cloud_run_v2_worker_pool_iam_member": "name",
    "google_project_iam_member": "project",
    "google_pubsub_topic_iam_member": "topic",
    "google_secret_manager_secret_iam_member": "secret_id",
    "google_service_account_iam_member": "service_account_id",
    "google_storage_bucket_iam_member": "bucket",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """Who may do what with what: `on` is a project, an account, a secret, or objects by how their names begin."""

    member: str
    powers: frozenset[str]
    kind: str
    on: str


@dataclass(frozen=True, slots=True)
class Runs:
    """A trigger: as whom it runs, what starts it, and whether a person approves."""

    name: str
    account: str
    project: str
    by_topic: bool
    gated: bool


@dataclass(frozen=True, slots=True)
class There:
    """What there is, of one project or several."""

    bindings: tuple[Binding, ...]
    accounts: frozenset[str]
    triggers: tuple[Runs, ...]

    def __add__(self, other: "There") -> "There":
        return There(self.bindings + other.bindings, self.accounts | other.accounts, self.triggers + other.triggers)

    def without(self, binding: Binding) -> "There":
        """The same, had that never been granted."""
        return There(tuple(each for each in self.bindings if each != binding), self.accounts, self.triggers)

    def having(self, *more: Binding) -> "There":
        """The same, with these granted too."""
        return There((*self.bindings, *more), self.accounts, self.triggers)


def read(*roots: Mapping[str, Any]) -> There:
    """Of `values` (or `planned_values`) of `terraform show -json`, of one root or of several together.

    Raises:
        KeyError: a role of which POWERS does not say what it allows.
    """
    found = [each for values in roots for each in _resources(values["root_module"])]
    custom = {
        each["values"]["id"]: frozenset(_OF_PERMISSIONS[permission] for permission in each["values"]["permissions"])
        for each in found
        if each["type"] == "google_project_iam_custom_role"
    }
    bindings = tuple(
        Binding(given["member"], {**POWERS, **custom}[given["role"]], each["type"], _on(given, _TARGETS[each["type"]]))
        for each in found
        if each["type"] in _TARGETS
        for given in [each["values"]]
    )
    accounts = frozenset(each["values"]["member"] for each in found if each["type"] == "google_service_account")
    triggers = tuple(
        Runs(
            given["name"],
            "serviceAccount:" + given["service_account"].rpartition("/")[2],
            given["project"],
            bool(given["pubsub_config"]),
            any(approval["approval_required"] for approval in given["approval_config"]),
        )
        for each in found
        if each["type"] == "google_cloudbuild_trigger"
        for given in [each["values"]]
    )
    return There(bindings, accounts, triggers)


def reached(there: There, start: str, *, approved: bool = False) -> set[str]:
    """All that `start` can come to be or read, but for itself; through gates too if whatever comes is approved."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for next_one in _edges(there, ahead.pop(), approved=approved):
            if next_one not in found and next_one != start:
                found.add(next_one)
                ahead.append(next_one)
    return found


def granted(there: There, member: str, power: str, on: str) -> bool:
    """Whether somebody may do this with what ends (or, of objects, begins) so."""
    return any(binding.member == member and power in binding.powers and _is(binding, on) for binding in there.bindings)


def _edges(there: There, who: str, *, approved: bool) -> Iterator[str]:
    everyone = [binding for binding in there.bindings if binding.member in EVERYBODY]
    for binding in [*(each for each in there.bindings if each.member == who), *everyone]:
        if "act" in binding.powers or "change policies" in binding.powers:
            yield from _accounts_of(there, binding)
        if "read secret" in binding.powers:
            yield f"secret:{binding.on}"
        if "start builds" in binding.powers:
            yield from (run.account for run in there.triggers if run.project == binding.on)
        if "publish" in binding.powers:
            yield from _opened([run for run in there.triggers if run.by_topic], approved=approved)
        if "create objects" in binding.powers and binding.kind == "google_storage_bucket_iam_member":
            yield from _appliers(there, binding.on, approved=approved)


def _accounts_of(there: There, binding: Binding) -> Iterator[str]:
    if binding.kind == "google_service_account_iam_member":
        yield "serviceAccount:" + binding.on.rpartition("/")[2]
    elif binding.kind == "google_project_iam_member":
        yield from (each for each in there.accounts if f"@{binding.on}." in each)
    elif binding.kind == "google_secret_manager_secret_iam_member":
        yield f"secret:{binding.on}"


def _appliers(there: There, objects: str, *, approved: bool) -> Iterator[str]:
    """A plan is what its applier runs, once approved; a state is what it believes, whatever anybody approves."""
    for run in (run for run in there.triggers if run.by_topic):
        environment = run.name.removeprefix("xnovu-").removesuffix("-apply")
        if run.project not in objects:
            continue
        if _within(f"plans/{environment}/", objects):
            yield from _opened([run], approved=approved)
        if _within(f"xnovu/{environment}/default.tfstate", objects):
            yield run.account


def _opened(runs: Iterable[Runs], *, approved: bool) -> Iterator[str]:
    yield from (run.account for run in runs if approved or not run.gated)


def _within(name: str, objects: str) -> bool:
    return name.startswith(objects.partition("/objects/")[2])


def _is(binding: Binding, on: str) -> bool:
    if binding.kind == "google_storage_bucket_iam_member" and "/objects/" not in on:
        return _within(on, binding.on)
    return binding.on.endswith(on)


def _on(given: Mapping[str, Any], attribute: str) -> str:
    conditions: Collection[Mapping[str, str]] = given.get("condition") or ()
    name: str = given[attribute]
    for condition in conditions:
        found = re.fullmatch(r"resource\.name(?:\.startsWith\('([^']+)'\)| == '([^']+)')", condition["expression"])
        if found is None:
            raise KeyError(f"what does the condition {condition['expression']} let through?")
        name = found[1] or found[2]
    return name if conditions or attribute != "bucket" else f"{name}/objects/"


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _resources(child)
