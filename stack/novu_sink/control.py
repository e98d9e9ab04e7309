"""The sink's own endpoints, under /_sink: what it saw, and what it shall do wrong."""

from __future__ import annotations

from itertools import islice
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.answers import AsciiJSONResponse
from stack.novu_sink.faults import FAULTS, Faults
from stack.novu_sink.journal import Call, Journal, ReceivedRequest
from stack.novu_sink.triggering import EventEndpoints
from stack.novu_sink.workflows import Workflows


class ControlEndpoints:
    """Used by tests, the demo and the benchmark; no key is asked for."""

    def __init__(self, journal: Journal, faults: Faults, events: EventEndpoints) -> None:
        self._journal = journal
        self._faults = faults
        self._events = events

    def routes(self) -> list[Route]:
        return [
            Route("/_sink/health", self.health),
            Route("/_sink/calls", self.calls, methods=["GET"]),
            Route("/_sink/calls", self.reset, methods=["DELETE"]),
            Route("/_sink/requests", self.requests),
            Route("/_sink/summary", self.summary),
            Route("/_sink/faults", self.list_faults, methods=["GET"]),
            Route("/_sink/faults", self.add_faults, methods=["POST"]),
            Route("/_sink/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_sink/workflows", self.set_workflows, methods=["POST"]),
        ]

    async def health(self, _: Request) -> Response:
        return AsciiJSONResponse({"status": "serving"})

    async def calls(self, request: Request) -> Response:
        """Events in the order they came; `transaction_id_prefix`, `workflow` and `limit` choose, as text."""
        query = request.query_params
        limit = query.get("limit")
        if limit is not None and not limit.isdigit():
            return AsciiJSONResponse({"error": "limit must be a whole number"}, 422)
        calls = self._journal.calls(
            transaction_id_prefix=query.get("transaction_id_prefix", ""), workflow=query.get("workflow")
        )
        return AsciiJSONResponse({"calls": [self._call(call) for call in islice(calls, int(limit) if limit else None)]})

    async def reset(self, _: Request) -> Response:
        """Forget all calls, transaction ids and cancellations."""
        self._journal.reset()
        return Response(status_code=204)

    async def requests(self, _: Request) -> Response:
        """Every HTTP request to an event endpoint, the refused ones too."""
        return AsciiJSONResponse({"requests": [_request(request) for request in self._journal.requests()]})

    async def summary(self, _: Request) -> Response:
        return AsciiJSONResponse(self._journal.summary())

    async def list_faults(self, _: Request) -> Response:
        return AsciiJSONResponse({"faults": self._faults.as_json()})

    async def add_faults(self, request: Request) -> Response:
        """A list of faults, which take effect in its order (see faults.py)."""
        try:
            self._faults.add(FAULTS.validate_json(await request.body()))
        except ValidationError as error:
            return _invalid(error)
        return await self.list_faults(request)

    async def clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def set_workflows(self, request: Request) -> Response:
        """Replace what the sink knows of workflows (see workflows.py)."""
        try:
            self._events.workflows = Workflows.model_validate_json(await request.body())
        except ValidationError as error:
            return _invalid(error)
        return Response(self._events.workflows.model_dump_json(), media_type="application/json")

    def _call(self, call: Call) -> dict[str, Any]:
        event = call.event
        content = call.content if isinstance(call.content, dict) else {}
        to = content.get("to")
        return {
            "request_id": call.request.request_id,
            "received_at_ns": call.request.received_at_ns,
            "path": call.request.path,
            "answer": call.request.answer,
            "workflow": event.workflow,
            "transaction_id": event.transaction_id,
            "recipients": to if isinstance(to, list) else [to],
            "payload": content.get("payload"),
            "overrides": content.get("overrides"),
            "status": event.status,
            "error": event.error,
            "duplicate": event.duplicate,
            "cancelled": self._journal.is_cancelled(event.transaction_id),
        }


def _request(request: ReceivedRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "received_at_ns": request.received_at_ns,
        "path": request.path,
        "answer": request.answer,
        "events": len(request.events),
        "body_bytes": len(request.body),
    }


def _invalid(error: ValidationError) -> Response:
    return Response(error.json(include_url=False), 422, media_type="application/json")
