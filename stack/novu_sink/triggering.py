"""Novu's event endpoints: trigger, bulk trigger, cancel."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.answers import Refused, data, refusal
from stack.novu_sink.event_rules import (
    BODY_LIMIT_BYTES,
    EVENT_LIMIT_BYTES,
    find_complaints,
    parse_object,
    require_event_list,
    require_size,
    require_valid,
    valid_recipients,
)
from stack.novu_sink.fault_effects import answer_under, fail_before_accepting, status_under
from stack.novu_sink.faults import Faults
from stack.novu_sink.journal import ERROR, PROCESSED, Journal, ReceivedEvent
from stack.novu_sink.workflows import Workflows, WorkflowState

_WORKFLOW_NOT_FOUND = "workflow_not_found"

Judge = Callable[[dict[str, Any], int], list[ReceivedEvent]]
"""Takes the request's content and its size in bytes; raises Refused if nothing of it is accepted."""


class EventEndpoints:
    """Accepts, refuses or fails each request, and writes it down before answering."""

    def __init__(self, secret_key: str, journal: Journal, faults: Faults) -> None:
        self._authorization = f"ApiKey {secret_key}".encode()
        self._journal = journal
        self._faults = faults
        self.workflows = Workflows()

    def routes(self) -> list[Route]:
        return [
            Route("/v1/events/trigger", self.trigger, methods=["POST"]),
            Route("/v1/events/trigger/bulk", self.trigger_bulk, methods=["POST"]),
            Route("/v1/events/trigger/{transaction_id:path}", self.cancel, methods=["DELETE"]),
        ]

    async def trigger(self, request: Request) -> Response:
        """One event."""
        return await self._accept(request, self._judge_single)

    async def trigger_bulk(self, request: Request) -> Response:
        """Up to 100 events, each with an answer of its own."""
        return await self._accept(request, self._judge_bulk)

    async def cancel(self, request: Request) -> Response:
        """Whether the transaction was there to be cancelled."""
        received_at_ns = time.time_ns()
        path = request.url.path
        try:
            self._require_key(request)
            await asyncio.sleep(self._faults.take_latency_seconds(()))
            fault = self._faults.take_answer(())
            fail_before_accepting(fault)
        except Refused as refused:
            self._journal.record(received_at_ns, path, refused.status, (), b"")
            return refusal(refused, path)
        cancelled = self._journal.cancel(request.path_params["transaction_id"])
        self._journal.record(received_at_ns, path, status_under(fault, 200), (), b"")
        return await answer_under(fault, request, data(cancelled, 200))

    async def _accept(self, request: Request, judge: Judge) -> Response:
        received_at_ns = time.time_ns()
        path = request.url.path
        body = b""
        try:
            self._require_key(request)
            body = await _read_body(request)
            content = parse_object(body)
            names = _workflow_names(content)
            await asyncio.sleep(self._faults.take_latency_seconds(names))
            fault = self._faults.take_answer(names)
            fail_before_accepting(fault)
            events = judge(content, len(body))
        except Refused as refused:
            self._journal.record(received_at_ns, path, refused.status, (), body)
            return refusal(refused, path)
        self._journal.record(received_at_ns, path, status_under(fault, 201), events, body)
        items = [_item(event) for event in events]
        return await answer_under(fault, request, data(items if judge == self._judge_bulk else items[0], 201))

    def _judge_single(self, content: dict[str, Any], size_bytes: int) -> list[ReceivedEvent]:
        require_valid(content)
        if size_bytes > EVENT_LIMIT_BYTES:
            require_size(content)
        event = self._judge(content)
        if event.error == [_WORKFLOW_NOT_FOUND]:
            raise Refused(422, _WORKFLOW_NOT_FOUND)
        return [event]

    def _judge_bulk(self, content: dict[str, Any], size_bytes: int) -> list[ReceivedEvent]:
        events = require_event_list(content)
        if size_bytes > EVENT_LIMIT_BYTES:
            for index, event in enumerate(events):
                require_size(event, index)
        return [self._judge(event) for event in events]

    def _judge(self, content: Any) -> ReceivedEvent:
        complaints = find_complaints(content)
        if complaints:
            name = content.get("name") if isinstance(content, Mapping) else None
            event = ReceivedEvent(name if isinstance(name, str) else "", "", 0, ERROR)
            event.error = [complaint for messages in complaints.values() for complaint in messages]
            return event
        recipients = valid_recipients(content["to"])
        transaction_id = content.get("transactionId") or f"txn_{secrets.token_hex(12)}"
        event = ReceivedEvent(content["name"], transaction_id, len(recipients))
        state = self.workflows.state_of(event.workflow)
        fault = self._faults.event_status(event.workflow, recipients)
        if fault:
            event.status, event.error = fault.status, fault.error
        elif state is WorkflowState.UNKNOWN:
            event.status, event.error = ERROR, [_WORKFLOW_NOT_FOUND]
        elif state is not WorkflowState.ACTIVE:
            event.status = state.value
        elif not recipients:
            event.status = "invalid_recipients"
        return event

    def _require_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), self._authorization):
            raise Refused(401, "API Key not found" if given.startswith("ApiKey ") else "Unauthorized")


def _item(event: ReceivedEvent) -> dict[str, Any]:
    """What Novu answers for one event: the transaction id only of what it will process."""
    item: dict[str, Any] = {"acknowledged": True, "status": event.status}
    if event.error is not None:
        item["error"] = event.error
    if event.status == PROCESSED:
        item["transactionId"] = event.transaction_id
    return item


def _workflow_names(content: Mapping[str, Any]) -> set[str]:
    events = content.get("events", [content])
    return {
        event["name"]
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, Mapping) and isinstance(event.get("name"), str)
    }


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT_BYTES:
            raise Refused(413, "request entity too large")
    return bytes(body)
