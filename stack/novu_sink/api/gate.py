"""What every request passes before its endpoint: key, plan, rate, faults, `Idempotency-Key`; and the way back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import Refused, refusal
from stack.novu_sink.api.body import parse_object, read_body
from stack.novu_sink.api.idempotency import Idempotency
from stack.novu_sink.api.plans import Category
from stack.novu_sink.api.tokens import Tokens
from stack.novu_sink.control.fault_effects import answer_under, fail_at_the_door, fail_before_accepting, status_under
from stack.novu_sink.control.faults import AcceptThenHang, AnswerFault, Faults, ResetConnection, UnreadableAnswer
from stack.novu_sink.control.journal import Journal, ReceivedEvent

_IDEMPOTENT_METHODS = frozenset({"POST", "PATCH"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class Asked:
    """One request that may be served: in which environment, with what content, and the events found in it."""

    request: Request
    environment: Environment
    content: dict[str, Any]
    body: bytes
    received_at: float
    events: list[ReceivedEvent] = field(default_factory=list)


Endpoint = Callable[[Asked], Awaitable[Response]]


class Gate:
    """Serves requests in the order of Novu's guards and interceptors."""

    def __init__(self, account: Account, journal: Journal, faults: Faults) -> None:
        self._account = account
        self._journal = journal
        self._faults = faults
        self.tokens = Tokens()
        self.idempotency = Idempotency()
        self._chance = Random(account.settings.seed)

    def forget(self) -> None:
        """Every bucket is full, and no idempotency key was ever used."""
        self.tokens.forget()
        self.idempotency.forget()

    def to(
        self, endpoint: Endpoint, category: Category = "global", *, cost: int = 1, closed_in_2024: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint behind the gate. `trigger` requests are what plans are paid for, and are journalled whole."""

        async def serve(request: Request) -> Response:
            return await self._serve(request, endpoint, category, cost, closed_in_2024)

        return serve

    async def _serve(
        self, request: Request, endpoint: Endpoint, category: Category, cost: int, closed: bool
    ) -> Response:
        received_at_ns = time.time_ns()
        path = request.url.path
        body = b""
        asked: Asked | None = None
        headers: dict[str, str] = {}
        fault: AnswerFault | None = None
        try:
            environment = self._environment_of(request, closed)
            if category == "trigger":
                self._require_payment()
            headers = self._account_for(category, cost)
            if request.method in _WITH_BODY:
                body = await read_body(request)
            content = parse_object(body) if body or (category == "trigger" and request.method == "POST") else {}
            asked = Asked(request, environment, content, body, received_at_ns / 1e9)
            names = _workflow_names(asked.content) if category == "trigger" else set()
            fault = self._faults.take_answer(path, names)
            fail_at_the_door(fault)
            answer = await self._answer(asked, endpoint, fault, self._slowness_seconds(category, path, names))
            fault = fault or self._lose(category)
        except Refused as refused:
            answer, fault = refusal(refused, path), None
        answer.headers.update(headers)
        events = asked.events if asked else []
        status = status_under(fault, answer.status_code)
        self._journal.record(
            request.method,
            path,
            received_at_ns,
            status,
            events,
            body,
            is_event=category == "trigger",
            environment_id=asked.environment.id if asked else "",
        )
        return await answer_under(fault, request, answer)

    async def _answer(
        self, asked: Asked, endpoint: Endpoint, fault: AnswerFault | None, takes_seconds: float
    ) -> Response:
        key = asked.request.headers.get("idempotency-key")

        async def serve() -> Response:
            await asyncio.sleep(takes_seconds)
            fail_before_accepting(fault)
            if isinstance(fault, UnreadableAnswer) and not fault.accepted:
                return Response()
            return await endpoint(asked)

        if not key or not self._account.settings.idempotency or asked.request.method not in _IDEMPOTENT_METHODS:
            return await serve()
        return await self.idempotency.serve(key, asked.body, asked.request.url.path, serve)

    def _environment_of(self, request: Request, closed: bool) -> Environment:
        authorization = request.headers.get("authorization", "")
        if not authorization:
            raise Refused(401, "Missing authorization header", error="Unauthorized")
        scheme, _, key = authorization.partition(" ")
        if scheme != "ApiKey" or not key.strip():
            raise Refused(401, "Unauthorized")
        environment = self._account.environment_of_key(key.strip())
        if environment is None:
            raise Refused(401, "API Key not found", error="Unauthorized")
        if self._account.settings.kill_switch:
            raise Refused(503, "Service Unavailable")
        if closed and self._account.settings.generation == "2024":
            raise Refused(401, "API endpoint not available", error="Unauthorized")
        other = request.query_params.get("environmentId")
        if other is not None and other != environment.id:
            raise Refused(403, "API keys are scoped to a single environment", error="Forbidden")
        return environment

    def _require_payment(self) -> None:
        match self._account.settings.payment:
            case "events_used_up":
                raise Refused(402, "API rate limit exceeded", headers={"X-QuotaLimit-Limit": "10000"})
            case "paused":
                text = "Your organization is paused because it reached its spending limit"
                headers = {"X-QuotaLimit-Limit": "10000"}
                raise Refused(402, text, headers=headers, members={"error": "Payment required", "status": 402})

    def _account_for(self, category: Category, cost: int) -> dict[str, str]:
        return self.tokens.take(self._account.settings.plan, category, cost, time.time())

    def _slowness_seconds(self, category: Category, path: str, names: set[str]) -> float:
        seconds = self._faults.take_latency_seconds(path, names)
        if category == "trigger":
            seconds += self._chance.uniform(*self._account.settings.answers.delay_seconds)
        return seconds

    def _lose(self, category: Category) -> AnswerFault | None:
        answers = self._account.settings.answers
        if category != "trigger" or self._chance.random() >= answers.lost_share:
            return None
        if answers.lost_by == "silence":
            return AcceptThenHang(kind="accept_then_hang")
        return ResetConnection(kind="reset_connection")


def _workflow_names(content: Mapping[str, Any]) -> set[str]:
    events = content.get("events", [content])
    return {
        event["name"]
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, Mapping) and isinstance(event.get("name"), str)
    }
