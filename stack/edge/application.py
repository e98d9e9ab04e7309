"""The edge as one ASGI application: REST under /rest/v1, Realtime's websocket, faults on request, and a probe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from stack.edge.faults import fault_routes
from stack.edge.realtime.routes import realtime_routes
from stack.edge.realtime.service import RealtimeService
from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.rest.application import RestApplication
from stack.edge.rest.database import Database
from stack.edge.rest_faults import RestFaults

EXPOSED_SCHEMAS = ("public", "notify")
REST_PATH = "/rest/v1"


def create_application(database_url: str, jwt_secret: str, realtime_settings: RealtimeSettings) -> Starlette:
    """The edge on the database at `database_url` (a superuser's), trusting tokens signed with `jwt_secret`.

    The database may come later than the edge, go away and come back. Run it with uvicorn's `ws=RealtimeWire`.
    """
    database = Database(database_url, EXPOSED_SCHEMAS)
    rest = RestApplication(database, jwt_secret)
    realtime = RealtimeService(database_url, jwt_secret, realtime_settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database.opened(), realtime.running():
            yield

    async def health(_: Request) -> Response:
        """That the edge serves, and what it has; whether the database serves, each request is told."""
        return JSONResponse({"status": "serving", "rest_requests": rest.requests})

    routes = [
        Route("/health", health),
        Mount(REST_PATH, RestFaults(rest, lambda: realtime.hub.disturbances)),
        *realtime_routes(realtime),
        *fault_routes(realtime),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _no_route})


async def _no_route(_: Request, __: Exception) -> Response:
    """What the gateway says of a path that belongs to no service."""
    return JSONResponse({"message": "no Route matched with those values"}, 404)
