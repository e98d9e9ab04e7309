"""The uvicorn websocket protocol of the edge: one that can also misbehave, as networks and stopped servers do."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_STATE_KEY = "realtime_wire"
# What uvicorn is to run with: the real server's largest frame from a client, no pings, no compression.
UVICORN_OPTIONS = {
    "ws_max_size": 5_000_000,
    "ws_ping_interval": None,
    "ws_per_message_deflate": False,
}


class RealtimeWire(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `ws`. While frozen it looks at nothing it receives, pings included."""

    frozen = False
    last_received_at = 0.0
    _unread = b""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        self.last_received_at = self.loop.time()
        if self.response.status_code == 101:
            self.scope["state"][_STATE_KEY] = self

    def data_received(self, data: bytes) -> None:
        self.last_received_at = self.loop.time()
        if self.frozen:
            self._unread += data
        else:
            super().data_received(data)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        """Look at what came in meanwhile."""
        self.frozen = False
        unread, self._unread = self._unread, b""
        if unread:
            super().data_received(unread)

    def abort(self) -> None:
        """Drop the connection without a close frame."""
        self.transport.abort()

    def idle_seconds(self) -> float:
        """Since the client's last byte."""
        return self.loop.time() - self.last_received_at


def wire_of(state: dict[str, object]) -> RealtimeWire:
    """The wire under a websocket, from its scope's state. Raises RuntimeError where uvicorn was given another one."""
    wire = state.get(_STATE_KEY)
    if not isinstance(wire, RealtimeWire):
        raise RuntimeError("the edge's websockets need uvicorn to run with ws=RealtimeWire")
    return wire
