"""An environment's workflows: documents as `GET /v2/workflows/{workflowId}` shows them, without what is computed."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from stack.novu_sink.api.answers import new_id, timestamp
from stack.novu_sink.workflows.samples import sample_body

ORIGIN = "novu-cloud"


class Workflows:
    """Kept by identifier, which never changes and is in no other workflow."""

    def __init__(self, environment_id: str) -> None:
        self._environment_id = environment_id
        self._all: dict[str, dict[str, Any]] = {}

    def all(self) -> list[dict[str, Any]]:
        """In the order in which they were made."""
        return list(self._all.values())

    def find(self, workflow_id: str) -> dict[str, Any] | None:
        """By identifier, or by `_id`."""
        found = self._all.get(workflow_id)
        if found is not None or len(workflow_id) != 24:
            return found
        return next((one for one in self._all.values() if one["_id"] == workflow_id), None)

    def make_sample(self, workflow_id: str) -> dict[str, Any]:
        """A workflow that shows whatever is sent to it, there already or new."""
        return self._all.get(workflow_id) or self.create(sample_body(workflow_id), workflow_id)

    def create(self, body: Mapping[str, Any], workflow_id: str) -> dict[str, Any]:
        """A new workflow; an identifier that is taken gets a random end."""
        while workflow_id in self._all:
            workflow_id = f"{workflow_id}-{secrets.token_hex(2)}"
        now = timestamp(time.time())
        self._all[workflow_id] = document = {
            "_id": new_id(),
            "workflowId": workflow_id,
            "origin": ORIGIN,
            "type": "BRIDGE",
            "createdAt": now,
            "_environmentId": self._environment_id,
            **self._members(body, []),
            "updatedAt": now,
        }
        return document

    def replace(self, workflow: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        """What PUT does: everything is as the body says, but for control values that it leaves out."""
        changed = {**workflow, **self._members(body, workflow["steps"]), "updatedAt": timestamp(time.time())}
        self._all[workflow["workflowId"]] = changed
        return changed

    def patch(self, workflow: dict[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
        """What PATCH does."""
        allowed = {name: members[name] for name in ("name", "description", "tags", "active") if name in members}
        self._all[workflow["workflowId"]] = changed = {**workflow, **allowed, "updatedAt": timestamp(time.time())}
        return changed

    def put(self, workflow: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a whole document, as publishing and the record file have it."""
        self._all[workflow["workflowId"]] = kept = {**deepcopy(dict(workflow)), "_environmentId": self._environment_id}
        return kept

    def delete(self, workflow_id: str) -> None:
        self._all.pop(workflow_id, None)

    def _members(self, body: Mapping[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
        preferences = body.get("preferences") or {}
        steps: list[dict[str, Any]] = []
        for step in body["steps"]:
            taken = {one["stepId"] for one in steps}
            steps.append(self._step(step, _step_before(step, before), taken))
        return {
            "name": body["name"],
            "description": body.get("description") or "",
            "tags": list(body.get("tags") or []),
            "active": body.get("active", True) is not False,
            "validatePayload": bool(body.get("validatePayload")),
            "payloadSchema": deepcopy(body.get("payloadSchema")),
            "preferences": {"user": preferences.get("user"), "default": preferences.get("workflow")},
            "steps": steps,
        }

    def _step(self, step: Mapping[str, Any], before: Mapping[str, Any] | None, taken: set[str]) -> dict[str, Any]:
        controls = step.get("controlValues")
        if "controlValues" not in step and before is not None:
            controls = before["controlValues"]
        step_id = before["stepId"] if before else step.get("stepId") or slug(step["name"])
        while step_id in taken:
            step_id = f"{step_id}-{secrets.token_hex(2)}"
        return {
            "_id": before["_id"] if before else new_id(),
            "stepId": step_id,
            "name": step["name"],
            "type": step["type"],
            "origin": ORIGIN,
            "controlValues": _as_saved(step["type"], deepcopy(dict(controls or {}))),
        }


def slug(name: str) -> str:
    """An identifier made of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "workflow"


def _step_before(step: Mapping[str, Any], before: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The stored step that this one is: by `_id`, else by `stepId`, else by `name`."""
    for key in ("_id", "stepId", "name"):
        if step.get(key) is not None:
            for one in before:
                if one[key] == step[key] and one["type"] == step["type"]:
                    return one
    return None


def _as_saved(kind: str, controls: dict[str, Any]) -> dict[str, Any]:
    """The block editor, which is the default, keeps no body that is not its JSON document."""
    if kind == "email" and controls.get("body") and controls.get("editorType", "block") == "block":
        try:
            document = json.loads(controls["body"])
        except (ValueError, TypeError):
            document = None
        if not isinstance(document, dict):
            controls["body"] = ""
    return controls
