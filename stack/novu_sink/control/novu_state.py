"""The rest of /_sink: what Novu holds, where no key of Novu's could ask or change it."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.api.answers import AsciiJSONResponse
from stack.novu_sink.control.endpoints import invalid
from stack.novu_sink.control.memory import Memory
from stack.novu_sink.control.settings import Channel
from stack.novu_sink.control.truth import TRANSACTION, truth
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.worker.worker import Worker


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str = "Development"


class SampleOrder(_Order):
    """Make sample workflows (samples.py) of these identifiers, where there are none."""

    make: tuple[str, ...]
    origin: Literal["novu-cloud", "external"] = "novu-cloud"
    """`external` ones are written in code: they cannot be published."""


class IntegrationOrder(_Order):
    """Turn a channel's integration on or off."""

    channel: Channel
    active: bool


Mark = Literal["delivered", "seen", "read", "unread", "archived", "unarchived", "snoozed", "unsnoozed"]


class MarkOrder(_Order):
    """What a person or a provider did with a message; webhooks tell of it."""

    message_id: str
    marks: tuple[Mark, ...]


class NovuStateEndpoints:
    """`environment` is a name, an id or an identifier; Development by default."""

    def __init__(self, account: Account, worker: Worker, webhooks: Webhooks, memory: Memory) -> None:
        self._account = account
        self._worker = worker
        self._webhooks = webhooks
        self._memory = memory

    def routes(self) -> list[Route]:
        return [
            Route("/_sink/truth", self.truth),
            Route("/_sink/environments", self.environments),
            Route("/_sink/webhooks", self.webhooks),
            Route("/_sink/workflows", self.make_samples, methods=["POST"]),
            Route("/_sink/integrations", self.switch_integration, methods=["POST"]),
            Route("/_sink/marks", self.mark, methods=["POST"]),
        ]

    async def truth(self, request: Request) -> Response:
        """See truth.py; the query's `transaction_id_prefix` and `by` are its parameters."""
        await self._worker.present()
        query = request.query_params
        environment = self._account.environment(query.get("environment", "Development"))
        if environment is None:
            return _no_environment()
        found = truth(environment, prefix=query.get("transaction_id_prefix", ""), by=query.get("by", TRANSACTION))
        hours = self._account.retention_seconds / 3600
        return AsciiJSONResponse({**found, "waiting": self._worker.waiting(), "retention_hours": hours})

    async def environments(self, _: Request) -> Response:
        """Names, ids and keys."""
        return AsciiJSONResponse(
            {
                "environments": [
                    {"name": one.name, "type": one.kind, "id": one.id, "identifier": one.identifier, "key": one.api_key}
                    for one in self._account.environments
                ]
            }
        )

    async def webhooks(self, _: Request) -> Response:
        """Every event that there was to tell, and its attempts."""
        return AsciiJSONResponse({"events": self._webhooks.as_json()})

    async def make_samples(self, request: Request) -> Response:
        order = SampleOrder.model_validate_json(await request.body())
        environment = self._environment(order)
        for workflow_id in order.make:
            workflow = environment.workflows.make_sample(workflow_id)
            environment.workflows.put({**workflow, "origin": order.origin})
            self._memory.workflow_changed(environment, workflow_id)
        return Response(status_code=204)

    async def switch_integration(self, request: Request) -> Response:
        order = IntegrationOrder.model_validate_json(await request.body())
        self._environment(order).integrations.switch(order.channel, active=order.active)
        return Response(status_code=204)

    async def mark(self, request: Request) -> Response:
        await self._worker.present()
        order = MarkOrder.model_validate_json(await request.body())
        environment = self._environment(order)
        message = environment.activity.message(order.message_id)
        if message is None:
            return AsciiJSONResponse({"error": f"no message {order.message_id}"}, 404)
        now = time.time()
        for mark in order.marks:
            match mark:
                case "delivered":
                    message.delivered_at.append(now)
                case "seen":
                    message.seen = True
                case "read":
                    message.seen = message.read = True
                case "unread":
                    message.read = False
                case "archived" | "unarchived":
                    message.archived = mark == "archived"
            self._webhooks.tell(environment, f"message.{mark}", message, None, now)
        return Response(status_code=204)

    def _environment(self, order: _Order) -> Environment:
        environment = self._account.environment(order.environment)
        if environment is None:
            raise NoEnvironment(order.environment)
        return environment


class NoEnvironment(Exception):
    """An order names an environment that there is not."""


async def wrong_order(_: Request, error: Exception) -> Response:
    """The application's answer to a wrong order."""
    return invalid(error) if isinstance(error, ValidationError) else _no_environment()


def _no_environment() -> Response:
    return AsciiJSONResponse({"error": "no such environment"}, 404)
