"""Faults of the REST half on request: what gateways, networks and pools do to calls, whatever the call was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stack.edge.realtime.disturbances import Disturbances
from stack.edge.rest.errors import catalogue_unavailable

_GATEWAYS: Mapping[int, str] = MappingProxyType(
    {
        401: "Invalid API key",
        429: "API rate limit exceeded",
        500: "An unexpected error occurred",
        502: "An invalid response was received from the upstream server",
        504: "The upstream server is timing out",
    }
)
"""What the gateway says by itself; 503 is PostgREST's."""


class RestFaults:
    """Stands before the REST half, and does what is in force to each request that comes."""

    def __init__(self, application: ASGIApp, disturbances: Callable[[], Disturbances]) -> None:
        """`disturbances` are there once the application has started."""
        self._application = application
        self._disturbances = disturbances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        disturbances = self._disturbances()
        if scope["type"] == "http" and disturbances.is_revoked(Headers(scope=scope).get("apikey")):
            await _refusal(401)(scope, receive, send)
            return
        trouble = disturbances.rest_trouble(scope["path"])
        if trouble is None:
            await self._application(scope, receive, send)
            return
        match trouble.how:
            case "refuse":
                await _refusal(trouble.status)(scope, receive, send)
            case "slow":
                received = await _received(receive)
                await asyncio.sleep(trouble.delay_seconds)
                await self._application(scope, received, send)
            case "hang":
                await _until_gone(receive)
            case "execute_then_hang":
                await self._application(scope, receive, _unheard)
                await _until_gone(receive)


def _refusal(status: int) -> ASGIApp:
    if status == 503:
        return catalogue_unavailable().response(with_body=True)
    headers = {"Retry-After": "1"} if status == 429 else {}
    return JSONResponse({"message": _GATEWAYS.get(status, "refused by a fault")}, status, headers)


async def _received(receive: Receive) -> Receive:
    """All of the request is here: it is done, though whoever sent it may be gone by then."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again


async def _unheard(_: Message) -> None:
    """An answer that is lost on its way."""


async def _until_gone(receive: Receive) -> None:
    """The caller gives up; we never do."""
    while (await receive())["type"] != "http.disconnect":
        pass
