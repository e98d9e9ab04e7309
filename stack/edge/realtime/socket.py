"""One websocket: a mailbox that everything goes through in order, as in the real server's transport process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from stack.edge.realtime.channel import TOPIC_PREFIX, Channel
from stack.edge.realtime.frames import ClientFrame, Serializer, compact
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.join import JoinRefused, admit, authorize
from stack.edge.realtime.relay import relay
from stack.edge.realtime.subscriber import Subscriber
from stack.edge.realtime.tokens import Token
from stack.edge.realtime.wire import RealtimeWire

# Cowboy, the real server's web server, looks for idle connections this often within the time allowed.
_IDLE_LOOKS = 10
_NORMAL_CLOSE = 1000


@dataclass(frozen=True, slots=True)
class _Close:
    """The last thing in a mailbox."""

    code: int


class RealtimeSocket:
    """Serves one client until either side ends it.

    What a refused join costs in time it costs the whole socket: the mailbox stands still meanwhile.
    """

    def __init__(
        self,
        websocket: WebSocket,
        wire: RealtimeWire,
        serializer: Serializer,
        token: Token,
        jwt_secret: str,
        hub: Hub,
        subscriber: Subscriber,
    ) -> None:
        self.channels: dict[str, Channel] = {}
        self.token = token
        self.jwt_secret = jwt_secret
        self.hub = hub
        self.settings = hub.settings
        self.subscriber = subscriber
        self.wire = wire
        self._websocket = websocket
        self._serializer = serializer
        self._mailbox: asyncio.Queue[ClientFrame | str | _Close] = asyncio.Queue()
        self._mailbox_bytes = 0
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._thaw_timer: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Until the socket is closed, by whomever."""
        self.hub.sockets.add(self)
        parts = [asyncio.create_task(part) for part in (self._read(), self._work(), self._watch_idleness())]
        try:
            finished, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in finished:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            if self._thaw_timer is not None:
                self._thaw_timer.cancel()
            for topic in list(self.channels):
                self.forget_channel(self.channels[topic])
            self.hub.sockets.discard(self)
            self.hub.interest_changed()

    def push(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: str) -> None:
        """Put a frame into the mailbox. A client that is far too slow is cut off: the real server has a memory cap."""
        text = self._serializer.frame(join_ref, ref, topic, event, payload)
        self._mailbox_bytes += len(text)
        if self._mailbox_bytes > self.settings.max_mailbox_bytes:
            self.wire.abort()
        else:
            self._mailbox.put_nowait(text)

    def close_channel(self, channel: Channel) -> None:
        """The server's own end of a channel."""
        channel.push_event("phx_close")
        self.forget_channel(channel)

    def forget_channel(self, channel: Channel) -> None:
        """End a channel without a word."""
        channel.stop()
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
        self.hub.interest_changed()

    def freeze(self, seconds: float) -> None:
        """Neither read nor write for that long; the connection stays open."""
        self.wire.freeze()
        self._thawed.clear()
        if self._thaw_timer is not None:
            self._thaw_timer.cancel()
        self._thaw_timer = asyncio.get_running_loop().call_later(seconds, self.thaw)

    def thaw(self) -> None:
        self._thawed.set()
        self.wire.thaw()

    def close_after_mail(self, code: int) -> None:
        """A clean close by the server, once what is in the mailbox has been sent."""
        self._mailbox.put_nowait(_Close(code))

    async def close(self, code: int, reason: str = "") -> None:
        """A clean close by the server, not waiting for what is in the mailbox."""
        if self._websocket.application_state is WebSocketState.CONNECTED:
            await self._websocket.close(code, reason)

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame = None if text is None else self._serializer.parse(text)
            if frame is not None:
                self._mailbox.put_nowait(frame)

    async def _work(self) -> None:
        try:
            while True:
                item = await self._mailbox.get()
                await self._thawed.wait()
                if isinstance(item, _Close):
                    await self.close(item.code)
                    return
                if isinstance(item, str):
                    self._mailbox_bytes -= len(item)
                    await self._websocket.send_text(item)
                else:
                    await self._handle(item)
        except WebSocketDisconnect:
            return
        except JoinRefused:
            await self.close(_NORMAL_CLOSE)

    async def _watch_idleness(self) -> None:
        allowed = self.settings.socket_idle_seconds
        without_channel = 0.0
        while True:
            await asyncio.sleep(allowed / _IDLE_LOOKS)
            without_channel = 0.0 if self.channels else without_channel + allowed / _IDLE_LOOKS
            if self.wire.frozen:
                continue
            if self.wire.idle_seconds() >= allowed or without_channel >= self.settings.no_channel_seconds:
                await self.close(_NORMAL_CLOSE)
                return

    async def _handle(self, frame: ClientFrame) -> None:
        channel = self.channels.get(frame.topic)
        if frame.topic == "phoenix" and frame.event == "heartbeat":
            await self._reply(frame, "ok", {})
        elif frame.event == "phx_join":
            await self._join(frame)
        elif frame.event == "phx_leave":
            await self._reply(frame, "ok", {})
            if channel is not None:
                self.close_channel(channel)
        elif channel is None:
            await self._reply(frame, "error", {"reason": "unmatched topic"})
        elif frame.event == "access_token":
            channel.take_token(frame.payload.get("access_token") if isinstance(frame.payload, dict) else None)
        elif frame.event == "broadcast":
            answer = await relay(channel, frame.payload)
            if answer is not None:
                self._reply_after_mail(frame, *answer)
        elif frame.event == "presence" and isinstance(frame.payload, dict) and frame.payload.get("event") == "track":
            presence = frame.payload.get("payload")
            channel.track(presence if isinstance(presence, dict) else {})
            self._reply_after_mail(frame, "ok", {})

    async def _join(self, frame: ClientFrame) -> None:
        if not frame.topic.startswith(TOPIC_PREFIX):
            await self._reply(frame, "error", {"reason": "unmatched topic"})
            return
        try:
            channel = admit(self, frame)
            if channel.is_private:
                await authorize(self, channel)
        except JoinRefused as refusal:
            self.hub.counts.joins_refused += 1
            await asyncio.sleep(refusal.delay_seconds)
            await self._reply(frame, "error", {"reason": refusal.reason})
            if refusal.ends_socket:
                raise
            return
        replaced = self.channels.get(frame.topic)
        self.channels[frame.topic] = channel
        if replaced is not None:
            replaced.push_event("phx_close")
            replaced.stop()
        channel.start()
        self.hub.interest_changed()
        # What was pushed above is in the mailbox, and so comes after this.
        await self._reply(frame, "ok", {"postgres_changes": channel.described_entries()})

    def _reply_after_mail(self, frame: ClientFrame, status: str, response: object) -> None:
        payload = compact({"status": status, "response": response})
        self.push(frame.join_ref, frame.ref, frame.topic, "phx_reply", payload)

    async def _reply(self, frame: ClientFrame, status: str, response: object) -> None:
        payload = compact({"status": status, "response": response})
        await self._websocket.send_text(
            self._serializer.frame(frame.join_ref, frame.ref, frame.topic, "phx_reply", payload)
        )
