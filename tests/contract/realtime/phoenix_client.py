"""A client that shows every frame as it came, and does nothing by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.contract.realtime.edge_server import SECRET, Edge

Frame = dict[str, Any]
TOPIC = "realtime:x"
_PATIENCE_SECONDS = 60.0


def token(role: str = "service_role", *, lives_seconds: float = 3600, secret: str = SECRET, **claims: object) -> str:
    return jwt.encode({"role": role, "exp": int(time.time() + lives_seconds), **claims}, secret)


def change_request(event: str = "*", table: str = "notify", **more: object) -> Frame:
    return {"event": event, "schema": "public", "table": table, **more}


class PhoenixClient:
    """Frames in the order they came. `raw` is the text of the last one received."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.raw = ""

    async def send(self, event: str, payload: object = None, *, topic: str = TOPIC, ref: str | None = "9") -> None:
        await self.send_raw({"topic": topic, "event": event, "payload": payload or {}, "ref": ref})

    async def send_raw(self, frame: object) -> None:
        await self.connection.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def send_join(
        self,
        *changes: Frame,
        topic: str = TOPIC,
        ref: str = "1",
        access_token: str | None = None,
        config: object = None,
    ) -> None:
        settings = config if config is not None else {"postgres_changes": list(changes)}
        payload: Frame = {"config": settings}
        if access_token is not None:
            payload["access_token"] = access_token
        await self.send_raw({"topic": topic, "event": "phx_join", "payload": payload, "ref": ref, "join_ref": ref})

    async def subscribe(
        self, *changes: Frame, topic: str = TOPIC, ref: str = "1", access_token: str | None = None
    ) -> Frame:
        """Join and see it through to "Subscribed to PostgreSQL"; returns the reply."""
        await self.send_join(*changes, topic=topic, ref=ref, access_token=access_token)
        reply = await self.receive()
        assert reply["payload"]["status"] == "ok", reply
        confirmation = await self.receive()
        assert confirmation["payload"]["message"] == "Subscribed to PostgreSQL", confirmation
        return reply

    async def receive(self, within: float = _PATIENCE_SECONDS) -> Frame:
        async with asyncio.timeout(within):
            text = await self.connection.recv()
        assert isinstance(text, str)
        self.raw = text
        frame: Frame = json.loads(text, parse_float=Decimal)
        return frame

    async def receive_change(self) -> Frame:
        """The `data` of the next frame, which must be a change event; its ids are under `ids`."""
        frame = await self.receive()
        assert frame["event"] == "postgres_changes", frame
        return {**frame["payload"]["data"], "ids": frame["payload"]["ids"]}

    async def heartbeat(self, within: float = _PATIENCE_SECONDS) -> None:
        """Fails unless the very next frame is the heartbeat's reply."""
        await self.send("heartbeat", topic="phoenix", ref="hb")
        frame = await self.receive(within)
        assert (frame["topic"], frame["ref"], frame["event"]) == ("phoenix", "hb", "phx_reply"), frame

    async def closed(self, within: float = _PATIENCE_SECONDS) -> int | None:
        """The code of the server's close frame, after whatever frames come before; None if it sent none."""
        async with asyncio.timeout(within):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed as closed:
                return None if closed.rcvd is None else closed.rcvd.code


@asynccontextmanager
async def connected(edge: Edge, api_key: str | None = None, **query: str) -> AsyncIterator[PhoenixClient]:
    """A websocket with the service key unless another is given."""
    url = edge.websocket(apikey=api_key or token(), **query)
    async with connect(url, max_size=None, ping_interval=None, close_timeout=1) as connection:
        yield PhoenixClient(connection)
