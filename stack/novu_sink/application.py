"""The sink as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.novu_sink.account import Account
from stack.novu_sink.activity.endpoints import ActivityEndpoints
from stack.novu_sink.api.answers import Refused, refusal
from stack.novu_sink.api.environments import EnvironmentEndpoints
from stack.novu_sink.api.gate import Gate
from stack.novu_sink.api.triggering import EventEndpoints
from stack.novu_sink.control.endpoints import ControlEndpoints
from stack.novu_sink.control.faults import Faults
from stack.novu_sink.control.journal import Journal
from stack.novu_sink.control.memory import Memory
from stack.novu_sink.control.novu_state import NoEnvironment, NovuStateEndpoints, wrong_order
from stack.novu_sink.control.record_file import RecordFile
from stack.novu_sink.inbox.page import Inbox
from stack.novu_sink.subscribers.endpoints import SubscriberEndpoints
from stack.novu_sink.webhooks.sender import Webhooks
from stack.novu_sink.worker.worker import Worker
from stack.novu_sink.workflows.endpoints import WorkflowEndpoints
from stack.novu_sink.workflows.publishing import PublishingEndpoints


class _Endpoints(Protocol):
    def routes(self, gate: Gate) -> list[Route]: ...


def create_application(account: Account, record_file: RecordFile | None = None) -> Starlette:
    """The sink for `account`, which goes on from what the record file holds.

    Raises:
        ValueError: the record file is none of ours.
    """
    faults = Faults()
    journal = Journal(record_file)
    memory = Memory(account, record_file)
    webhooks = Webhooks(account)
    worker = Worker(account, webhooks, memory)
    gate = Gate(account, journal, faults)
    novu: list[_Endpoints] = [
        EventEndpoints(account, worker, faults, memory),
        WorkflowEndpoints(account, memory.workflow_changed, webhooks),
        PublishingEndpoints(account, memory.workflow_changed, webhooks),
        SubscriberEndpoints(account, memory.subscriber_changed),
        ActivityEndpoints(account, worker),
        EnvironmentEndpoints(account),
    ]
    webhooks.silent = True
    memory.remember(journal, worker)
    # Steps may wait; but what webhooks told already must not be told again.
    worker.catch_up(steps=account.settings.webhooks.url is not None)
    webhooks.silent = False
    control = ControlEndpoints(account, journal, faults, gate, worker, webhooks, memory)
    state = NovuStateEndpoints(account, worker, webhooks, memory)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(worker.run())
        yield
        running.cancel()
        await webhooks.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            *(route for endpoints in novu for route in endpoints.routes(gate)),
            *control.routes(),
            *state.routes(),
            *Inbox(account, journal, worker).routes(),
        ],
        exception_handlers={
            404: _no_route,
            405: _no_route,
            ValidationError: wrong_order,
            NoEnvironment: wrong_order,
        },
    )


async def _no_route(request: Request, _: Exception) -> Response:
    """What Novu says of a method and path that it does not have; much of what it has, the sink does not."""
    return refusal(Refused(404, f"Cannot {request.method} {request.url.path}"), request.url.path)
