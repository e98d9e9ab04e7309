"""Novu's event endpoints: trigger, bulk trigger, cancel. They look at the workflow and queue; nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import Refused, data, instant, server_error, validation_error
from stack.novu_sink.api.event_rules import (
    PAYLOAD_LIMIT_BYTES,
    choke_on_attachments,
    find_complaints,
    require_event_list,
    require_size,
)
from stack.novu_sink.api.gate import Asked, Gate
from stack.novu_sink.api.payload_schema import payload_refusal
from stack.novu_sink.api.tokens import BULK_COST
from stack.novu_sink.control.faults import Faults
from stack.novu_sink.control.journal import ERROR, PROCESSED, ReceivedEvent
from stack.novu_sink.control.memory import Memory
from stack.novu_sink.worker.queue import TakenEvent
from stack.novu_sink.worker.recipients import recipient_ids, resolve
from stack.novu_sink.worker.worker import Worker

_WORKFLOW_NOT_FOUND = "workflow_not_found"


class EventEndpoints:
    """Answers `processed` for whatever can be queued."""

    def __init__(self, account: Account, worker: Worker, faults: Faults, memory: Memory) -> None:
        self._account = account
        self._memory = memory
        self._worker = worker
        self._faults = faults

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/v1/events/trigger", gate.to(self.trigger, "trigger"), methods=["POST"]),
            Route("/v1/events/trigger/bulk", gate.to(self.trigger_bulk, "trigger", cost=BULK_COST), methods=["POST"]),
            Route("/v1/events/trigger/{transaction_id:path}", gate.to(self.cancel, "trigger"), methods=["DELETE"]),
        ]

    async def trigger(self, asked: Asked) -> Response:
        """One event."""
        content = asked.content
        complaints = find_complaints(content)
        if complaints:
            raise validation_error(self._generation, complaints)
        if self._generation != "2024" and len(asked.body) > PAYLOAD_LIMIT_BYTES:
            require_size(content)
        event = self._judge(asked.environment, content)
        if event.error == [_WORKFLOW_NOT_FOUND]:
            raise Refused(422, _WORKFLOW_NOT_FOUND, error="Unprocessable Entity")
        if event.status == ERROR:
            refused = self._schema_refusal(asked.environment, content)
            if refused is not None:
                raise refused
            if choke_on_attachments(content.get("payload")) is not None:
                raise server_error()
        self._take(asked, [(event, content)])
        return data(self._item(asked.environment, event), 201)

    async def trigger_bulk(self, asked: Asked) -> Response:
        """Up to 100 events, each with an answer of its own."""
        contents = require_event_list(asked.content, self._generation)
        if self._generation != "2024" and len(asked.body) > PAYLOAD_LIMIT_BYTES:
            for index, content in enumerate(contents):
                require_size(content, index)
        judged = [(self._judge(asked.environment, content), content) for content in contents]
        self._take(asked, judged)
        return data([self._item(asked.environment, event) for event, _ in judged], 201)

    async def cancel(self, asked: Asked) -> Response:
        """Whether there was anything of the transaction that Novu held back."""
        transaction_id = asked.request.path_params["transaction_id"]
        cancelled = self._worker.cancel(asked.environment, transaction_id)
        if cancelled:
            self._memory.cancelled(asked.environment, transaction_id)
        return data(cancelled, 200)

    @property
    def _generation(self) -> str:
        return self._account.settings.generation

    def _judge(self, environment: Environment, content: Any) -> ReceivedEvent:
        complaints = find_complaints(content)
        if complaints:
            name = content.get("name") if isinstance(content, Mapping) else None
            return ReceivedEvent(name if isinstance(name, str) else "", _new_transaction_id(), 0, ERROR, complaints)
        to = content["to"]
        recipients = recipient_ids(to)
        transaction_id = content.get("transactionId") or _new_transaction_id()
        event = ReceivedEvent(content["name"], transaction_id, len(recipients))
        fault = self._faults.event_status(event.workflow, recipients)
        if fault:
            event.status, event.error = fault.status, fault.error
        else:
            self._judge_workflow(environment, event, content)
        return event

    def _judge_workflow(self, environment: Environment, event: ReceivedEvent, content: Mapping[str, Any]) -> None:
        settings = self._account.settings
        workflow = environment.workflows.find(event.workflow)
        if workflow is None and event.workflow and settings.unknown_workflows == "make":
            workflow = environment.workflows.make_sample(event.workflow)
            self._memory.workflow_changed(environment, event.workflow)
        tenant = content.get("tenant")
        choked = choke_on_attachments(content.get("payload"))
        lag_seconds = settings.workflow_lag_seconds
        if workflow is None or (lag_seconds and time.time() - instant(workflow["createdAt"]) < lag_seconds):
            event.status, event.error = ERROR, [_WORKFLOW_NOT_FOUND]
        elif (refused := payload_refusal(workflow, content)) is not None:
            event.status, event.error = ERROR, [str(refused.message)]
        elif not workflow["active"]:
            event.status = "trigger_not_active"
        elif tenant is not None and _tenant_identifier(tenant) not in settings.tenants:
            event.status = "no_tenant_found"
        elif settings.generation == "2024" and not workflow["steps"]:
            event.status = "no_workflow_steps_defined"
        elif choked is not None:
            event.status, event.error = ERROR, [choked]
        elif (
            settings.check_recipients and settings.generation != "2024" and not resolve(content["to"], check=True).kept
        ):
            event.status = "invalid_recipients"

    def _schema_refusal(self, environment: Environment, content: Mapping[str, Any]) -> Refused | None:
        workflow = environment.workflows.find(content["name"])
        return None if workflow is None else payload_refusal(workflow, content)

    def _take(self, asked: Asked, judged: list[tuple[ReceivedEvent, Any]]) -> None:
        """Queue what will be processed. The journal keeps all of it."""
        asked.events = [event for event, _ in judged]
        for event, content in judged:
            if event.status == PROCESSED:
                self._worker.take(asked.environment, TakenEvent(event, content, asked.received_at))

    def _item(self, environment: Environment, event: ReceivedEvent) -> dict[str, Any]:
        """What Novu answers for one event."""
        item: dict[str, Any] = {"acknowledged": True, "status": event.status}
        if event.error is not None:
            item["error"] = event.error
        if event.status == PROCESSED or self._generation != "2024":
            item["transactionId"] = event.transaction_id
        if self._generation != "2024":
            where = f"https://dashboard.novu.co/env/{environment.id}/activity/workflow-runs"
            item["activityFeedLink"] = f"{where}?transactionId={event.transaction_id}"
        return item


def _tenant_identifier(tenant: Any) -> Any:
    return tenant.get("identifier") if isinstance(tenant, Mapping) else tenant


def _new_transaction_id() -> str:
    return f"txn_{secrets.token_hex(12)}"
