"""The sink as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from stack.novu_sink.answers import Refused, refusal
from stack.novu_sink.control import ControlEndpoints
from stack.novu_sink.faults import Faults
from stack.novu_sink.inbox import Inbox
from stack.novu_sink.journal import Journal
from stack.novu_sink.triggering import EventEndpoints


def create_application(secret_key: str, journal: Journal) -> Starlette:
    """The sink that accepts `secret_key` and writes into `journal`."""
    faults = Faults()
    events = EventEndpoints(secret_key, journal, faults)
    control = ControlEndpoints(journal, faults, events)
    return Starlette(
        routes=[*events.routes(), *control.routes(), *Inbox(journal).routes()],
        exception_handlers={404: _no_route, 405: _no_route},
    )


async def _no_route(request: Request, _: Exception) -> Response:
    """What Novu says of a method and path that it does not have; most of what it has, the sink does not."""
    return refusal(Refused(404, f"Cannot {request.method} {request.url.path}"), request.url.path)
