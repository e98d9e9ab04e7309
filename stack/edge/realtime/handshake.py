"""The handshake: whom the server lets in, and how it refuses the others."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from stack.edge.realtime.frames import SERIALIZERS, Serializer
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.tokens import Token, TokenFault, TokenRefused, verify_token

_DEFAULT_VERSION = "1.0.0"
_JSON = "application/json; charset=utf-8"


async def shake_hands(websocket: WebSocket, jwt_secret: str, hub: Hub) -> tuple[Serializer, Token] | None:
    """Accept and return the protocol's version and the token, or refuse and return None.

    All refusals but that of an unknown version come after a deliberate delay.
    """
    await hub.disturbances.freeze_is_over()
    serializer = SERIALIZERS.get(websocket.query_params.get("vsn") or _DEFAULT_VERSION)
    if serializer is None:
        hub.counts.handshakes_refused += 1
        await websocket.send_denial_response(Response(status_code=403))
        return None
    admitted = _admit(websocket, jwt_secret, hub)
    if isinstance(admitted, Response):
        hub.counts.handshakes_refused += 1
        await asyncio.sleep(hub.settings.connect_error_delay_seconds)
        await websocket.send_denial_response(admitted)
        return None
    await websocket.accept()
    return serializer, admitted


def _admit(websocket: WebSocket, jwt_secret: str, hub: Hub) -> Token | Response:
    refusal = hub.disturbances.handshake_refusal()
    if refusal is not None:
        return Response(refusal.body, refusal.status, media_type=_JSON)
    api_key = websocket.headers.get("x-api-key") or websocket.query_params.get("apikey")
    if api_key is None:
        return _refused(401, "API key is missing")
    if hub.disturbances.is_revoked(api_key):
        return _refused(401, TokenFault.SIGNATURE.value)
    try:
        token = verify_token(api_key, jwt_secret)
    except TokenRefused as refused:
        status = 500 if refused.fault is TokenFault.EXPIRY_IS_NO_NUMBER else 401
        return _refused(status, refused.on_handshake())
    if len(hub.sockets) >= hub.settings.max_sockets:
        return _refused(429, "Too many connected users")
    if hub.joins.tripped:
        return _refused(429, "Too many joins per second")
    return token


def _refused(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status, media_type=_JSON)
