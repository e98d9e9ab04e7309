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
    refuse_joins_of: dict[str, str] = field(default_factory=dict)
    """Join errors by the table asked for."""
    refuse_topics_of: str | None = None
    channels_per_socket: int = 100
    confirm: bool = True
    answer_broadcasts: bool = True
    forget_topics: bool = False
    frozen: bool = False
    joins: list[Join] = field(default_factory=list)
    joins_refused: set[str] = field(default_factory=set)
    left: list[str] = field(default_factory=list)
    handshakes: int = 0
    probes: int = 0
    _server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def seats_of(self, enterprise_id: str) -> list[Join]:
        """Every join of the enterprise's topic so far, the current one last."""
        return [join for join in self.joins if join.topic.startswith(f"realtime:notifications-{enterprise_id}:")]

    def canaries(self, listener_id: str = "listener-1") -> list[Join]:
        return [join for join in self.joins if join.topic.startswith(f"realtime:canary-{listener_id}:")]

    async def send_change(self, seat: Join, record: dict[str, Any] | None, **data: Any) -> None:
        """An INSERT to the seat's first table; `data` replaces parts of the event."""
        event = {
            "schema": "notify",
            "table": seat.changes[0]["table"],
            "type": "INSERT",
            "record": record,
            "columns": [],
            "errors": None,
            "commit_timestamp": "2026-11-25T12:00:00.000Z",
        } | data
        ids = [
            number
            for number, entry in enumerate(seat.changes, start=1)
            if (entry["table"], entry["event"]) == (event["table"], event["type"])
        ]
        await self.send(seat, "postgres_changes", {"data": event, "ids": ids[:1]})

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
        reason = self._refusal(join)
        if reason is not None:
            self.joins_refused.add(join.topic)
            await self.send(join, "phx_reply", {"status": "error", "response": {"reason": reason}}, join.ref)
            return
        if not self.answer_joins:
            return
        entries = [entry | {"id": number} for number, entry in enumerate(join.changes, start=1)]
        response = {"postgres_changes": entries}
        await self.send(join, "phx_reply", {"status": "ok", "response": response}, join.ref)
        if self.confirm:
            await self.send_system(join, "ok", "Subscribed to PostgreSQL")

    def _refusal(self, join: Join) -> str | None:
        taken = {each.topic for each in self.joins if each.connection is join.connection}
        if len(taken - self.joins_refused - set(self.left)) > self.channels_per_socket:
            return "ChannelRateLimitReached: Too many channels"
        if self.refuse_topics_of and f"-{self.refuse_topics_of}:" in join.topic:
            return "UnableToConnectToProject: none"
        return self.refuse_joins_of.get(join.changes[0]["table"])

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
    """Writes canary beats that come back through the server, unless it is mute."""

    def __init__(self, server: PhoenixServer) -> None:
        self._server = server
        self.mute = False
        self.swallow = 0
        self.beats: Counter[str] = Counter()

    async def beat_canary(self, listener_id: str) -> int:
        self.beats[listener_id] += 1
        if self.swallow:
            self.swallow -= 1
        elif not self.mute:
            record = {"listener_id": listener_id, "beat": self.beats[listener_id]}
            with suppress(ConnectionClosed):
                await self._server.send_change(self._server.canaries(listener_id)[-1], record, type="UPDATE")
        return self.beats[listener_id]
