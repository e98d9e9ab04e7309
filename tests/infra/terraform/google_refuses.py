"""What Google and its real provider refuse or change, for the stand-in provider, which loads this when it is started.

It runs in the stand-in's own interpreter (see providers.py) and must import nothing of the project. What there is "at
Google" is kept in the file that STAND_IN_WORLD names, so that one command of terraform's finds what another has left; a
test may change it there, as a scaler or the passing of time would. Without that variable only the rules that need no
memory hold. Sources: the provider's code and issues, and Google's API, as docs/decisions/0060 lists them.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfmock import engine, fake, server  # type: ignore[import-not-found]

WORLD = "STAND_IN_WORLD"
FAILS_ONCE = "STAND_IN_FAILS_ONCE"
"""With this, making a resource fails once after it was begun, as when Google's operation ends in an error: every
resource, or those of the types that are named, separated by commas.
"""

_RUNS = ("google_cloud_run_v2_service", "google_cloud_run_v2_worker_pool")
_POOL = "google_cloud_run_v2_worker_pool"
_UNSAID = {"scaling_mode": "MANUAL", "manual_instance_count": 1, "min_instance_count": None, "max_instance_count": None}
"""How Cloud Run scales a pool of which nobody says so."""


_APIS = {
    "google_artifact_registry": "artifactregistry",
    "google_billing": "billingbudgets",
    "google_cloud_run": "run",
    "google_cloud_scheduler": "cloudscheduler",
    "google_cloudbuild": "cloudbuild",
    "google_compute": "compute",
    "google_logging": "logging",
    "google_monitoring": "monitoring",
    "google_project": "cloudresourcemanager",
    "google_project_iam_custom_role": "iam",
    "google_project_service_identity": "serviceusage",
    "google_pubsub": "pubsub",
    "google_secret_manager": "secretmanager",
    "google_service_account": "iam",
    "google_storage": "storage",
}
"""Which API a type is of, by the longest beginning of its name."""
_BELIEVED_AFTER_SECONDS = 1.0
"""How long after it was turned on an API answers (minutes, at Google)."""


@contextmanager
def _world() -> Iterator[dict[str, Any]]:
    """What there is, by type and id; changes are kept."""
    path = Path(os.environ[WORLD]) if os.environ.get(WORLD) else None
    if path is None:
        yield {}
        return
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = json.loads(path.read_text()) if path.exists() else {}
        yield world
        path.write_text(json.dumps(world))


def without_zeros(value: Any) -> Any:
    """As Google's APIs answer: what is zero, false or empty is left out."""
    if isinstance(value, dict):
        kept = {name: without_zeros(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (0, "", False) or each == {} or each == []}
    return [without_zeros(each) for each in value] if isinstance(value, list) else value


def _read(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """What the provider finds when it looks again."""
    if name == "google_monitoring_dashboard":
        given = json.loads(state["dashboard_json"])
        answered = without_zeros(given)
        if answered != given:  # the provider compares the JSON, not its text
            state["dashboard_json"] = json.dumps(answered)
    if name == _POOL:
        with _world() as world:
            there = world.get(f"{name} {state['id']}")
            if there and state.get("scaling"):
                state["scaling"][0]["manual_instance_count"] = there["instances"]
    return state


def _refuse_what_is_off(name: str) -> None:
    """Where `services` says since when which API is on: what is of one that is off, or was turned on just now."""
    api = _APIS[max((begin for begin in _APIS if name.startswith(begin)), key=len)]
    with _world() as world:
        services = world.get("services")
        since = None if services is None else services.get(api)
        if services is not None and (since is None or time.time() < since + _BELIEVED_AFTER_SECONDS):
            raise engine.Problem(
                f"Error 403: {api}.googleapis.com has not been used in project my-project before or it is disabled. If "
                f"you enabled this API recently, wait a few minutes. Details: accessNotConfigured ({name})"
            )


def _turn_on(service: str) -> None:
    with _world() as world:
        if "services" in world:
            world["services"].setdefault(service.removesuffix(".googleapis.com"), time.time())


def _refuse_destroy(name: str, state: dict[str, Any]) -> None:
    with _world() as world:
        if name == "google_monitoring_uptime_check_config":
            users = [
                key
                for key, there in world.items()
                if "alert_policy" in key and state["uptime_check_id"] in there["text"]
            ]
            if users:
                raise engine.Problem(
                    f"Error deleting UptimeCheckConfig: Error 400: Cannot delete check {state['uptime_check_id']}. "
                    f"One or more alerting policies is using it: {users[0]}"
                )
        if name == "google_compute_subnetwork":
            users = [key for key, there in world.items() if state["id"] in there.get("subnetworks", ())]
            if users:
                raise engine.Problem(
                    f"Error deleting Subnetwork: Error 400: The subnetwork resource '{state['id']}' is already being "
                    f"used by 'serverless-ipv4-1', resourceInUseByAnotherResource ({users[0]})"
                )
        key = f"{name} {state['id']}"
        there = world.pop(key, None)
        # Cloud Run gives addresses back an hour or two after what had them is gone.
        if there and there.get("subnetworks"):
            world[f"addresses of {key}"] = {"text": "", "subnetworks": there["subnetworks"]}


def _keep(name: str, state: dict[str, Any]) -> None:
    with _world() as world:
        there: dict[str, Any] = {"text": json.dumps(state, default=str)}
        if name in _RUNS:
            there["subnetworks"] = [
                interface["subnetwork"]
                for access in state["template"][0].get("vpc_access") or []
                for interface in access.get("network_interfaces") or []
            ]
        if name == _POOL:
            # The provider sends the whole pool and no mask: the number of instances is what the plan has.
            there["instances"] = (state.get("scaling") or [{}])[0].get("manual_instance_count")
        world[f"{name} {state['id']}"] = there


def _refuse_service(state: dict[str, Any]) -> None:
    template = state["template"][0]
    for container in template["containers"]:
        limits = container["resources"][0]["limits"]
        if float(limits["cpu"]) >= 1:
            continue
        asked = {
            "concurrency": template["max_instance_request_concurrency"] == 1,
            "generation": template.get("execution_environment") in (None, "", "EXECUTION_ENVIRONMENT_GEN1"),
            "billing by request": container["resources"][0]["cpu_idle"],
            "memory": limits["memory"] in ("128Mi", "256Mi", "512Mi"),
        }
        refused = [name for name, is_allowed in asked.items() if not is_allowed]
        if refused:
            raise engine.Problem(f"Error 400: Invalid {', '.join(refused)} for total cpu {limits['cpu']} < 1")


def _of_its_own(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Google gives every check a new id; the stand-in makes the same of the same."""
    with _world() as world:
        taken = sum(key.startswith(f"{name} ") for key in world) + world.get("checks made", {}).get("count", 0)
        world["checks made"] = {"text": "", "count": taken + 1}
    for attribute in ("id", "name", "uptime_check_id"):
        state[attribute] = f"{state[attribute][:-4]}{taken:04d}"
    return state


def _fails(name: str, state: dict[str, Any]) -> bool:
    failing = os.environ.get(FAILS_ONCE, "")
    if not failing or (failing != "1" and name not in failing.split(",")):
        return False
    with _world() as world:
        # A check's id is never the same twice.
        key = f"failed {name} {state['display_name'] if 'uptime' in name else state['id']}"
        failed = key in world
        world[key] = {"text": ""}
        return not failed


def _read_resource(provider: Any, request: Any) -> Any:
    state = server.decode(request.current_state)
    found = server.dynamic(_read(request.type_name, state)) if state else request.current_state
    return server.pb.ReadResource.Response(new_state=found, private=request.private)


def _read_data(before: Callable[..., Any]) -> Callable[..., Any]:
    def read(name: str, *arguments: Any) -> Any:
        if name == "google_project":
            _refuse_what_is_off(name)
        state = before(name, *arguments)
        if name == "google_secret_manager_secret_version" and not state.get("fetch_secret_data"):
            state["enabled"] = True  # without access to the value, the provider says so of every version
        return state

    return read


def _apply(before: Callable[..., Any]) -> Callable[..., Any]:
    def apply(provider: Any, request: Any) -> Any:
        prior = server.decode(request.prior_state)
        if server.decode(request.planned_state) is None:
            answer = before(provider, request)  # protection is looked at first
            _refuse_destroy(request.type_name, prior)
            return answer
        # Of a service that is turned on the provider asks Cloud Resource Manager whether its project is there.
        _refuse_what_is_off(request.type_name)
        if request.type_name == "google_project_service":
            _turn_on(server.decode(request.planned_state)["service"])
        if request.type_name == "google_cloud_run_v2_service":
            _refuse_service(server.decode(request.planned_state))
        answer = before(provider, request)
        state = server.decode(answer.new_state)
        if request.type_name == _POOL and state["scaling"][0]["manual_instance_count"] is None:
            state["scaling"] = [_UNSAID]
            answer.new_state.CopyFrom(server.dynamic(state))
        if prior is None and request.type_name == "google_monitoring_uptime_check_config":
            answer.new_state.CopyFrom(server.dynamic(_of_its_own(request.type_name, state)))
        if prior is None and _fails(request.type_name, state):
            text = f"Error waiting to create {request.type_name}: Error code 9: it did not become ready"
            answer.diagnostics.extend([server.diagnostic(engine.ERROR, text)])
        _keep(request.type_name, state)
        return answer

    return apply


def install() -> None:
    """Teach the stand-in of this process."""
    fake.read_data = _read_data(fake.read_data)
    server.Provider.ReadResource = _read_resource
    server.Provider.ApplyResourceChange = _apply(server.Provider.ApplyResourceChange)
