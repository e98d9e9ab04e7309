"""Novu's `/v2/workflows`: read, make, replace, change, delete, try out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import Refused, data, validation_error
from stack.novu_sink.api.gate import Asked, Gate
from stack.novu_sink.api.paging import whole_number
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.worker.content import content_of
from stack.novu_sink.worker.rendering import RenderingFailed, render_controls
from stack.novu_sink.workflows.body import find_complaints
from stack.novu_sink.workflows.shown import shown
from stack.novu_sink.workflows.store import slug

Changed = Callable[[Environment, str], None]
"""Is told of every workflow that was made, changed or deleted."""


class WorkflowEndpoints:
    """Saving succeeds with issues; only wrong shapes and the plan's count are refused."""

    def __init__(self, account: Account, changed: Changed, webhooks: Webhooks) -> None:
        self._account = account
        self._changed = changed
        self._webhooks = webhooks

    def routes(self, gate: Gate) -> list[Route]:
        one = "/v2/workflows/{workflow_id}"
        preview = f"{one}/step/{{step_id}}/preview"
        return [
            Route("/v2/workflows", gate.to(self.list, "configuration", closed_in_2024=True), methods=["GET"]),
            Route("/v2/workflows", gate.to(self.create, "configuration", closed_in_2024=True), methods=["POST"]),
            Route(one, gate.to(self.show, "configuration", closed_in_2024=True), methods=["GET"]),
            Route(one, gate.to(self.replace, "configuration", closed_in_2024=True), methods=["PUT"]),
            Route(one, gate.to(self.patch, "configuration", closed_in_2024=True), methods=["PATCH"]),
            Route(one, gate.to(self.delete, "configuration", closed_in_2024=True), methods=["DELETE"]),
            Route(preview, gate.to(self.preview, "configuration", closed_in_2024=True), methods=["POST"]),
        ]

    async def list(self, asked: Asked) -> Response:
        """Short entries, newest change last; `limit`, `offset`, `query` and `tags` choose."""
        query = asked.request.query_params
        tags = set(query.getlist("tags"))
        text = query.get("query", "").lower()
        found = [
            one
            for one in asked.environment.workflows.all()
            if (not tags or tags & set(one["tags"]))
            and (text in one["name"].lower() or text in one["workflowId"].lower())
        ]
        generation = self._account.settings.generation
        offset = whole_number(asked.request, "offset", 0, 0, 10**9, generation)
        limit = whole_number(asked.request, "limit", 50, 1, 100, generation)
        entries = [_entry(shown(one, asked.environment, self._account.plan)) for one in found[offset : offset + limit]]
        return data({"workflows": entries, "totalCount": len(found)})

    async def create(self, asked: Asked) -> Response:
        self._require_valid(asked.content, is_new=True)
        limit = self._account.most_workflows
        if limit is not None and len(asked.environment.workflows.all()) >= limit:
            raise Refused(400, f"Workflow limit exceeded: the plan allows {limit} workflows", error="Bad Request")
        derived = self._account.settings.workflow_identifiers == "derived"
        identifier = slug(asked.content["name"]) if derived else asked.content["workflowId"]
        workflow = asked.environment.workflows.create(asked.content, identifier)
        return self._saved(asked, workflow, "workflow.created", 201)

    async def show(self, asked: Asked) -> Response:
        return data(shown(_require_known(asked), asked.environment, self._account.plan))

    async def replace(self, asked: Asked) -> Response:
        before = _require_known(asked)
        self._require_valid(asked.content, is_new=False)
        workflow = asked.environment.workflows.replace(before, asked.content)
        return self._saved(asked, workflow, "workflow.updated", 200, before)

    async def patch(self, asked: Asked) -> Response:
        before = _require_known(asked)
        workflow = asked.environment.workflows.patch(before, asked.content)
        return self._saved(asked, workflow, "workflow.updated", 200, before)

    async def delete(self, asked: Asked) -> Response:
        workflow = _require_known(asked)
        asked.environment.workflows.delete(workflow["workflowId"])
        self._changed(asked.environment, workflow["workflowId"])
        self._webhooks.tell_of_workflow(asked.environment, "workflow.deleted", workflow, None)
        return Response(status_code=204)

    async def preview(self, asked: Asked) -> Response:
        """What a step would show of `previewPayload`; a template that fails previews as nothing."""
        workflow = _require_known(asked)
        step_id = asked.request.path_params["step_id"]
        step = next((one for one in workflow["steps"] if step_id in (one["stepId"], one["_id"])), None)
        if step is None:
            raise Refused(404, "Step cannot be found", stepId=step_id)
        controls = asked.content.get("controlValues") or step["controlValues"]
        example = asked.content.get("previewPayload") or {}
        context = {"payload": {}, "subscriber": {}, "steps": {}, "context": {}, "t": {}, **example}
        try:
            rendered = render_controls(controls, context, self._account.settings.generation)
            content = content_of(step["type"], rendered, context, self._account)
            preview: dict[str, Any] = {"subject": content.subject, "body": content.body}
        except RenderingFailed:
            preview = {}
        return data({"result": {"type": step["type"], "preview": preview}, "previewPayloadExample": example}, 201)

    def _saved(
        self, asked: Asked, workflow: dict[str, Any], kind: str, status: int, before: dict[str, Any] | None = None
    ) -> Response:
        self._changed(asked.environment, workflow["workflowId"])
        self._webhooks.tell_of_workflow(asked.environment, kind, workflow, before)
        return data(shown(workflow, asked.environment, self._account.plan), status)

    def _require_valid(self, body: Mapping[str, Any], *, is_new: bool) -> None:
        complaints = find_complaints(body, is_new=is_new)
        if complaints:
            raise validation_error(self._account.settings.generation, complaints)


def _require_known(asked: Asked) -> dict[str, Any]:
    workflow_id = asked.request.path_params["workflow_id"]
    workflow = asked.environment.workflows.find(workflow_id)
    if workflow is None:
        raise Refused(404, "Workflow cannot be found", workflowId=workflow_id)
    return workflow


def _entry(workflow: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        "_id",
        "workflowId",
        "slug",
        "name",
        "tags",
        "status",
        "origin",
        "createdAt",
        "updatedAt",
        "lastTriggeredAt",
    )
    types = [step["type"] for step in workflow["steps"]]
    return {**{name: workflow.get(name) for name in names}, "stepTypeOverviews": types}
