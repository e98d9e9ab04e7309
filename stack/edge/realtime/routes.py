"""Where the Realtime half is reached."""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute

from stack.edge.realtime.service import RealtimeService

# The gateway's path, and the one the server itself has behind it.
PATHS = ("/realtime/v1/websocket", "/socket/websocket")


def realtime_routes(service: RealtimeService) -> list[BaseRoute]:
    """Routes for an application that runs `service.running()` while it serves, under uvicorn with ws=RealtimeWire."""
    return [WebSocketRoute(path, service.websocket) for path in PATHS]
