"""The sink's own endpoints, under /_sink: what it saw, and what it shall do wrong."""

from __future__ import annotations

from itertools import islice
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account
from stack.novu_sink.api.answers import AsciiJSONResponse
from stack.novu_sink.api.gate import Gate
from stack.novu_sink.control.faults import FAULTS, Faults
from stack.novu_sink.control.journal import Call, Journal, ReceivedRequest
from stack.novu_sink.control.memory import Memory
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.worker.worker import Worker


class ControlEndpoints:
    """Used by tests, the demo and the benchmark; no key is asked for."""

    def __init__(
        self,
        account: Account,
        journal: Journal,
        faults: Faults,
        gate: Gate,
        worker: Worker,
        webhooks: Webhooks,
        memory: Memory,
    ) -> None:
        self._account = account
        self._journal = journal
        self._faults = faults
        self._gate = gate
        self._worker = worker
        self._webhooks = webhooks
        self._memory = memory

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
            Route("/_sink/settings", self.show_settings, methods=["GET"]),
            Route("/_sink/settings", self.change_settings, methods=["PATCH"]),
            Route("/_sink/settings", self.reset_settings, methods=["DELETE"]),
        ]

    async def health(self, _: Request) -> Response:
        return AsciiJSONResponse({"status": "serving"})

    async def calls(self, request: Request) -> Response:
        """Events in the order they came; `transaction_id_prefix`, `workflow` and `limit` choose, as text."""
        await self._worker.present(steps=False)
        query = request.query_params
        limit = query.get("limit")
        if limit is not None and not limit.isdigit():
            return AsciiJSONResponse({"error": "limit must be a whole number"}, 422)
        calls = self._journal.calls(
            transaction_id_prefix=query.get("transaction_id_prefix", ""), workflow=query.get("workflow")
        )
        return AsciiJSONResponse({"calls": [_call(call) for call in islice(calls, int(limit) if limit else None)]})

    async def reset(self, _: Request) -> Response:
        """Forget all that was sent and all that it left behind: calls, workflows, subscribers, messages, answers."""
        self._journal.reset()
        self._account.forget()
        self._worker.forget()
        self._webhooks.forget()
        self._gate.forget()
        self._memory.start_over()
        return Response(status_code=204)

    async def requests(self, request: Request) -> Response:
        """Every HTTP request to an event endpoint, the refused ones too; with `all`, to any of Novu's."""
        found = self._journal.requests(others="all" in request.query_params)
        return AsciiJSONResponse({"requests": [_request(one) for one in found]})

    async def summary(self, _: Request) -> Response:
        await self._worker.present(steps=False)
        return AsciiJSONResponse({**self._journal.summary(), "waiting": self._worker.waiting()})

    async def list_faults(self, _: Request) -> Response:
        return AsciiJSONResponse({"faults": self._faults.as_json()})

    async def add_faults(self, request: Request) -> Response:
        """A list of faults, which take effect in its order (see faults.py)."""
        try:
            self._faults.add(FAULTS.validate_json(await request.body()))
        except ValidationError as error:
            return invalid(error)
        return await self.list_faults(request)

    async def clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def show_settings(self, _: Request) -> Response:
        return AsciiJSONResponse(self._account.settings.model_dump(mode="json"))

    async def change_settings(self, request: Request) -> Response:
        """Some settings of settings.py, as deep as they are named."""
        was_paused = self._account.settings.worker.paused
        try:
            self._account.settings = self._account.settings.changed(await request.json())
        except ValidationError as error:
            return invalid(error)
        self._settings_changed(was_paused)
        return await self.show_settings(request)

    async def reset_settings(self, _: Request) -> Response:
        """Back to those that the sink was started with."""
        was_paused = self._account.settings.worker.paused
        self._account.reset_settings()
        self._settings_changed(was_paused)
        return Response(status_code=204)

    def _settings_changed(self, was_paused: bool) -> None:
        if was_paused and not self._account.settings.worker.paused:
            self._worker.resume()


def _call(call: Call) -> dict[str, Any]:
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
        "cancelled": event.cancelled,
    }


def _request(request: ReceivedRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "received_at_ns": request.received_at_ns,
        "method": request.method,
        "path": request.path,
        "answer": request.answer,
        "events": len(request.events),
        "body_bytes": len(request.body),
    }


def invalid(error: ValidationError) -> Response:
    """422 with every complaint."""
    return Response(error.json(include_url=False), 422, media_type="application/json")
