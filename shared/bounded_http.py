"""uvicorn's HTTP protocol within bounds: how large a head may be, how long anything may take, how many may connect.

What nobody can exceed does not depend on who asks or on what answers (docs/decisions/0038-bounds-of-the-doors.md).
"""

import asyncio
from enum import Enum
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared import open_files

MOST_HEAD_BYTES = 16 * 1024
MOST_HEAD_LINES = 100

_PIECE_BYTES = 1024
"""What is looked at together: by so much a head can exceed its bounds before anybody notices."""

_OF_THE_DESCRIPTORS = 4
"""Callers get one in so many of those that the process may have: the others are for its work."""


class _Phase(Enum):
    """What a connection is doing: waiting for a request to begin, for its head to end, for the exchange to end."""

    IDLE = "idle"
    HEAD = "head"
    EXCHANGE = "exchange"


class BoundedProtocol(H11Protocol):
    """One connection. At `most_connections` the one that has waited longest makes room for the next."""

    most_connections: ClassVar[int] = 64
    head_seconds: ClassVar[float] = 10.0
    """From connecting, or from a further request's first byte, to the end of its head."""
    exchange_seconds: ClassVar[float] = 15.0
    """From there to the last byte of the body and of the answer, whichever comes later."""

    _phase = _Phase.HEAD
    _head_lines = 0
    _since = 0.0
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and give it its time."""
        super().connection_made(transport)
        self._enter(_Phase.HEAD)
        if len(self.connections) > min(self.most_connections, open_files.limit() // _OF_THE_DESCRIPTORS):
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take it in pieces, so that no single read holds a head of any size."""
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.HEAD)
        for start in range(0, len(data), _PIECE_BYTES):
            if self.transport.is_closing():
                return
            piece = data[start : start + _PIECE_BYTES]
            super().data_received(piece)
            if self._phase is _Phase.HEAD:
                self._head_lines += piece.count(b"\n")
                if self._head_lines > MOST_HEAD_LINES and not self.transport.is_closing():
                    self.send_400_response("Too many header lines.")

    def handle_events(self) -> None:
        """Notice when a request has begun, and when nothing of it is left."""
        cycle = self.cycle
        super().handle_events()
        if self.cycle is not cycle:
            self._enter(_Phase.EXCHANGE)
        elif self._phase is _Phase.EXCHANGE and self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE:
            self._enter(_Phase.IDLE)

    def _enter(self, phase: _Phase) -> None:
        seconds = {
            _Phase.IDLE: self.timeout_keep_alive,
            _Phase.HEAD: self.head_seconds,
            _Phase.EXCHANGE: self.exchange_seconds,
        }[phase]
        if self._end is not None:
            self._end.cancel()
        self._phase, self._since, self._head_lines = phase, self.loop.time(), 0
        self._end = self.loop.call_later(seconds, self.transport.abort)

    def _make_room(self) -> None:
        """The connection that has waited longest without a request under way goes; without any such, this one."""
        others = (it for it in self.connections if it is not self and isinstance(it, BoundedProtocol))
        waiting = [it for it in others if it.cycle is None or it.cycle.response_complete]
        leaving = min(waiting, key=lambda it: it._since, default=self)
        self.connections.discard(leaving)  # it is told it is gone a moment later, and others may come until then
        leaving.transport.abort()
