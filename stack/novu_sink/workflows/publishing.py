"""Workflows go from one environment to another: one by `sync`, many by `publish`, and `diff` shows it before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import Refused, data, new_id
from stack.novu_sink.api.gate import Asked, Gate
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.workflows.shown import shown
from stack.novu_sink.workflows.store import ORIGIN

Changed = Callable[[Environment, str], None]

_COMPARED = ("name", "description", "tags", "active", "validatePayload", "payloadSchema", "preferences")


class PublishingEndpoints:
    """Called with the source environment's key, as the documented road is."""

    def __init__(self, account: Account, changed: Changed, webhooks: Webhooks) -> None:
        self._account = account
        self._changed = changed
        self._webhooks = webhooks

    def routes(self, gate: Gate) -> list[Route]:
        sync = "/v2/workflows/{workflow_id}/sync"
        target = "/v2/environments/{target_id}"
        return [
            Route(sync, gate.to(self.sync, "configuration", closed_in_2024=True), methods=["PUT"]),
            Route(f"{target}/publish", gate.to(self.publish, closed_in_2024=True), methods=["POST"]),
            Route(f"{target}/diff", gate.to(self.diff, closed_in_2024=True), methods=["POST"]),
        ]

    async def sync(self, asked: Asked) -> Response:
        """One workflow to `targetEnvironmentId`."""
        target = self._require_target(asked.environment, asked.content.get("targetEnvironmentId"))
        workflow_id = asked.request.path_params["workflow_id"]
        workflow = asked.environment.workflows.find(workflow_id)
        if workflow is None:
            raise Refused(404, "Workflow cannot be found", workflowId=workflow_id)
        if workflow["origin"] != ORIGIN:
            raise Refused(400, "Workflow is not syncable: its origin is not novu-cloud", error="Bad Request")
        return data(shown(self._copy(workflow, target), target, self._account.plan))

    async def publish(self, asked: Asked) -> Response:
        """All that differ, or those named; `dryRun` only says which."""
        source, target = self._source_and_target(asked)
        dry_run = asked.content.get("dryRun") is True
        successful, skipped = [], []
        for workflow in self._chosen(asked, source):
            entry = {"resourceType": "workflow", "resourceId": workflow["workflowId"], "resourceName": workflow["name"]}
            action = _action(workflow, target.workflows.find(workflow["workflowId"]))
            if action is None:
                skipped.append({**entry, "reason": "No changes detected"})
                continue
            successful.append({**entry, "action": action})
            if not dry_run:
                self._copy(workflow, target)
        total = len(successful) + len(skipped)
        results = {
            "resourceType": "workflow",
            "successful": successful,
            "failed": [],
            "skipped": skipped,
            "totalProcessed": total,
        }
        summary = {"resources": total, "successful": len(successful), "failed": 0, "skipped": len(skipped)}
        return data({"results": [results], "summary": summary})

    async def diff(self, asked: Asked) -> Response:
        """What `publish` would do, with what is different."""
        source, target = self._source_and_target(asked)
        resources = []
        for workflow in source.workflows.all():
            there = target.workflows.find(workflow["workflowId"])
            action = _action(workflow, there)
            if action is not None:
                changes = [{"field": name} for name in _differences(workflow, there or {})]
                resource = {"id": workflow["workflowId"], "name": workflow["name"]}
                resources.append(
                    {
                        "resourceType": "workflow",
                        "sourceResource": resource,
                        "targetResource": resource if there else None,
                        "changes": changes,
                        "summary": {"added": int(there is None), "modified": int(there is not None), "deleted": 0},
                    }
                )
        where = {"sourceEnvironmentId": source.id, "targetEnvironmentId": target.id}
        return data(
            {
                **where,
                "resources": resources,
                "summary": {"totalChanges": len(resources), "hasChanges": bool(resources)},
            }
        )

    def _source_and_target(self, asked: Asked) -> tuple[Environment, Environment]:
        source = asked.environment
        named = asked.content.get("sourceEnvironmentId")
        if named is not None:
            source = self._account.environment(str(named)) or source
        return source, self._require_target(source, asked.request.path_params["target_id"])

    def _require_target(self, source: Environment, target_id: Any) -> Environment:
        target = next((one for one in self._account.environments if one.id == target_id), None)
        if target is None:
            raise Refused(404, f"Environment {target_id} not found", error="Not Found")
        if target is source:
            raise Refused(400, "Cannot sync workflow to the same environment", error="Bad Request")
        return target

    def _chosen(self, asked: Asked, source: Environment) -> list[dict[str, Any]]:
        resources = asked.content.get("resources")
        workflows = [one for one in source.workflows.all() if one["origin"] == ORIGIN]
        if not isinstance(resources, list):
            return workflows
        named = {one.get("resourceId") for one in resources if isinstance(one, Mapping)}
        return [one for one in workflows if named & {one["workflowId"], one["_id"]}]

    def _copy(self, workflow: Mapping[str, Any], target: Environment) -> dict[str, Any]:
        """Made or replaced in the target; the target's own ids stay."""
        there = target.workflows.find(workflow["workflowId"])
        ids = {step["stepId"]: step["_id"] for step in there["steps"]} if there else {}
        steps = [{**step, "_id": ids.get(step["stepId"]) or new_id()} for step in workflow["steps"]]
        copy = {**workflow, "_id": there["_id"] if there else new_id(), "steps": steps}
        kept = target.workflows.put(copy)
        self._changed(target, kept["workflowId"])
        self._webhooks.tell_of_workflow(target, "workflow.published", kept, there)
        return kept


def _action(workflow: Mapping[str, Any], there: Mapping[str, Any] | None) -> str | None:
    if there is None:
        return "created"
    return "updated" if _differences(workflow, there) else None


def _differences(workflow: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    found = [name for name in _COMPARED if workflow.get(name) != there.get(name)]
    if _without_ids(workflow) != _without_ids(there):
        found.append("steps")
    return found


def _without_ids(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in step.items() if name != "_id"} for step in workflow.get("steps", [])]
