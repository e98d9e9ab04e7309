"""The edge as one ASGI application: REST under /rest/v1, and whatever other routes share its process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from stack.edge.rest.application import RestApplication
from stack.edge.rest.database import Database

EXPOSED_SCHEMAS = ("public", "notify")
REST_PATH = "/rest/v1"


def create_application(
    database_url: str,
    jwt_secret: str,
    *,
    further_routes: Sequence[BaseRoute] = (),
    further_services: Sequence[AbstractAsyncContextManager[object]] = (),
) -> Starlette:
    """The edge on the database at `database_url`, trusting tokens signed with `jwt_secret`.

    `further_services` run from before the first request until after the last; they end in reverse order.
    """
    database = Database(database_url, EXPOSED_SCHEMAS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            await database.open()
            running.push_async_callback(database.close)
            for service in further_services:
                await running.enter_async_context(service)
            yield

    routes = [
        Route("/health", _health),
        Mount(REST_PATH, RestApplication(database, jwt_secret)),
        *further_routes,
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _no_route})


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "serving"})


async def _no_route(_: Request, __: Exception) -> Response:
    """What the gateway says of a path that belongs to no service."""
    return JSONResponse({"message": "no Route matched with those values"}, 404)
