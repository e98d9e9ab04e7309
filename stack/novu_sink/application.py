"""The sink as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette

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
    return Starlette(routes=[*events.routes(), *control.routes(), *Inbox(journal).routes()])
