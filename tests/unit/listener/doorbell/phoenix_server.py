"""A scripted Realtime server: it speaks just enough Phoenix to misbehave in every way that was seen."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from shared.ports import FeedWay


@dataclass
class Join:
    """A topic that a client joined."""

    connection: ServerConnection
    topic: str
    ref: str
    payload: dict[str, Any]

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The `postgres_changes` entries asked for."""
        return list(self.payload["config"]["postgres_changes"])


@dataclass
class PhoenixServer:
    """Its attributes are the script: change them while it runs."""

    handshake_status: HTTPStatus | None = None
    answer_joins: bool = True
    refuse_joins: str | None = None
    """The reason that joins are refused for."""
    confirm: bool = True
    answer_broadcasts: bool = True
    forget_topics: bool = False
    frozen: bool = False
    joins: list[Join] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    handshakes: int = 0
    probes: int = 0
    _server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"http://127.0.0.1:{port}"

    @property
    def seats(self) -> list[Join]:
        """Every seat asked for so far, the current one last."""
        return [join for join in self.joins if join.topic.startswith("realtime:xnovu-listener-1:")]

    async def send_row(self, seat: Join, ring: Any, *, entry: int = 0, **data: Any) -> None:
        """A row of the doorbell that was inserted, for the seat's first entry; `data` replaces parts of the event."""
        event = {
            "schema": "notify",
            "table": "doorbell",
            "type": "INSERT",
            "record": {"id": 1, "ring": ring},
            "columns": [],
            "errors": None,
            "commit_timestamp": "2026-11-25T12:00:00.000Z",
        } | data
        await self.send(seat, "postgres_changes", {"data": event, "ids": [entry + 1]})

    async def send_system(self, seat: Join, status: str, message: str, extension: str = "postgres_changes") -> None:
        payload = {"message": message, "status": status, "extension": extension, "channel": seat.topic[9:]}
        await self.send(seat, "system", payload)

    async def send(self, seat: Join, event: str, payload: dict[str, Any], ref: str | None = None) -> None:
        frame = {"ref": ref, "event": event, "topic": seat.topic, "payload": payload}
        await seat.connection.send(json.dumps(frame))

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes += 1
        if self.handshake_status is None:
            return None
        return connection.respond(self.handshake_status, '{"error":"scripted"}')

    async def serve_client(self, connection: ServerConnection) -> None:
        async for text in connection:
            frame = json.loads(text)
            if self.frozen:
                continue
            self.probes += frame["event"] == "broadcast"
            match frame["event"]:
                case "phx_join":
                    await self._join(Join(connection, frame["topic"], frame["ref"], frame["payload"]))
                case "phx_leave":
                    self.left.append(frame["topic"])
                    await self._reply(connection, frame, "ok", {})
                case "heartbeat":
                    await self._reply(connection, frame, "ok", {})
                case "broadcast" if self.forget_topics:
                    await self._reply(connection, frame, "error", {"reason": "unmatched topic"})
                case "broadcast" if self.answer_broadcasts:
                    await self._reply(connection, frame, "ok", {})

    async def _join(self, join: Join) -> None:
        self.joins.append(join)
        if self.refuse_joins is not None:
            refusal = {"status": "error", "response": {"reason": self.refuse_joins}}
            await self.send(join, "phx_reply", refusal, join.ref)
            return
        if not self.answer_joins:
            return
        entries = [entry | {"id": number} for number, entry in enumerate(join.changes, start=1)]
        await self.send(join, "phx_reply", {"status": "ok", "response": {"postgres_changes": entries}}, join.ref)
        if self.confirm:
            await self.send_system(join, "ok", "Subscribed to PostgreSQL")

    async def _reply(self, connection: ServerConnection, frame: dict[str, Any], status: str, response: Any) -> None:
        answer = {
            "ref": frame["ref"],
            "event": "phx_reply",
            "topic": frame["topic"],
            "payload": {"status": status, "response": response},
        }
        await connection.send(json.dumps(answer))


@asynccontextmanager
async def phoenix_server() -> AsyncIterator[PhoenixServer]:
    """A server on a free port."""
    script = PhoenixServer()
    async with serve(
        script.serve_client, "127.0.0.1", 0, process_request=script.process_request, close_timeout=0.2
    ) as server:
        script._server = server
        yield script


class SingingStore:
    """Rings beats that come back through the server, unless it is mute."""

    def __init__(self, server: PhoenixServer) -> None:
        self._server = server
        self.mute = False
        self.swallow = 0
        self.beats: Counter[str] = Counter()

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        self.beats[listener_id] += 1
        if self.swallow:
            self.swallow -= 1
        elif not self.mute:
            with suppress(ConnectionClosed):
                await self._server.send_row(self._server.seats[-1], {"beat": self.beats[listener_id]}, entry=1)
        return self.beats[listener_id]
