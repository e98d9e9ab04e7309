"""One joined topic of one socket: its token, its subscriptions, and what it pushes."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from stack.edge.realtime.change_requests import ChangeRequestRefused, entry_id, parse_change_request
from stack.edge.realtime.frames import compact
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.parties import Subscription
from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.realtime.subscriber import Subscriber
from stack.edge.realtime.subscription_check import SubscriptionRefused
from stack.edge.realtime.tokens import Token, TokenRefused, expiry_text, verify_token

TOPIC_PREFIX = "realtime:"
_POSTGRES_CHANGES = "postgres_changes"
_SUBSCRIBED = "Subscribed to PostgreSQL"


class Carrier(Protocol):
    """What a channel needs of the socket that it is on."""

    @property
    def hub(self) -> Hub: ...

    @property
    def settings(self) -> RealtimeSettings: ...

    @property
    def subscriber(self) -> Subscriber: ...

    @property
    def jwt_secret(self) -> str: ...

    def push(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: str) -> None:
        """Put a frame into the mailbox."""
        ...

    def close_channel(self, channel: Channel) -> None:
        """The server's own end of a channel."""
        ...

    def forget_channel(self, channel: Channel) -> None:
        """End a channel without a word."""
        ...


class Channel:
    """Lives from its join until it is left, replaced, or closed by the server."""

    def __init__(
        self,
        socket: Carrier,
        topic: str,
        join_ref: str | None,
        token: Token,
        entries: Sequence[Mapping[str, Any]],
        *,
        acknowledges_broadcasts: bool,
        hears_itself: bool,
        wants_replication_ready: bool,
        is_private: bool,
        presence_key: str,
    ) -> None:
        self.socket = socket
        self.topic = topic
        self.join_ref = join_ref
        self.token = token
        self.acknowledges_broadcasts = acknowledges_broadcasts
        self.hears_itself = hears_itself
        # Of a private topic; None until it was asked.
        self.may_write: bool | None = None
        self.wants_replication_ready = wants_replication_ready
        self.is_private = is_private
        self.presence_key = presence_key
        self._readiness: asyncio.Task[None] | None = None
        self.subscriptions: tuple[Subscription, ...] = ()
        self._entries = entries
        self._subscribing: asyncio.Task[None] | None = None
        self._token_check: asyncio.TimerHandle | None = None

    @property
    def wants_changes(self) -> bool:
        return bool(self._entries)

    def described_entries(self) -> list[dict[str, Any]]:
        """The entries as the join's reply echoes them, each with its id."""
        return [{"id": entry_id(entry), **{key: entry[key] for key in sorted(entry)}} for entry in self._entries]

    def start(self) -> None:
        """Watch the token, and subscribe to changes if any are asked for."""
        self._watch_token()
        if self.wants_changes:
            self._subscribing = asyncio.create_task(self._subscribe(self.socket.subscriber.first_subscription))
        if self.wants_replication_ready:
            self._readiness = asyncio.create_task(self._tell_when_ready())

    def hears(self, topic: str, is_private: bool) -> bool:
        """Whether broadcasts of this topic, private or not, are for this channel."""
        return self.topic == TOPIC_PREFIX + topic and self.is_private == is_private

    def push_broadcast(self, payload: str) -> None:
        """A `broadcast` frame around `payload`, JSON already."""
        self.socket.push(None, None, self.topic, "broadcast", payload)

    def resubscribe(self) -> None:
        """Check the entries and say "Subscribed" again, after a while; until then the old subscriptions serve."""
        if self.wants_changes:
            self._stop_subscribing()
            self._subscribing = asyncio.create_task(self._subscribe(self.socket.subscriber.later_subscription))

    def take_token(self, pushed: object) -> None:
        """An `access_token` push. Anything but another token is ignored; a bad one closes the channel."""
        if not isinstance(pushed, str) or pushed.startswith("sb_") or pushed == self.token.text:
            return
        try:
            self.token = verify_token(pushed, self.socket.jwt_secret)
        except TokenRefused as refusal:
            self.shut_down(refusal.on_push())
            return
        self.may_write = None
        self._watch_token()
        self.resubscribe()

    def push_change(self, payload: str) -> None:
        """A `postgres_changes` frame around `payload`, JSON already."""
        self.socket.push(None, None, self.topic, _POSTGRES_CHANGES, payload)

    def push_system(self, status: str, message: str, extension: str = _POSTGRES_CHANGES) -> None:
        payload = {
            "message": message,
            "status": status,
            "extension": extension,
            "channel": self.topic.removeprefix(TOPIC_PREFIX),
        }
        self.socket.push(self.join_ref, None, self.topic, "system", compact(payload))

    def push_disconnect(self) -> None:
        """Said to every channel before the server closes the socket; unlike others, this frame names no channel."""
        payload = {"message": "Server requested disconnect", "status": "ok", "extension": "system"}
        self.socket.push(self.join_ref, None, self.topic, "system", compact(payload))

    def track(self, presence: Mapping[str, Any]) -> None:
        """A client shows itself. Nobody is kept count of here: it is told of itself, as everybody would be."""
        meta = {"phx_ref": secrets.token_urlsafe(12), **presence}
        difference = {"joins": {self.presence_key: {"metas": [meta]}}, "leaves": {}}
        self.socket.push(self.join_ref, None, self.topic, "presence_diff", compact(difference))

    def push_event(self, event: str) -> None:
        """`phx_close` or `phx_error`, named for this join."""
        self.socket.push(self.join_ref, self.join_ref, self.topic, event, "{}")

    def close(self) -> None:
        """The server's own end of it."""
        self.socket.close_channel(self)

    def crash(self) -> None:
        """Its process is gone: the client is told, the socket stays."""
        self.push_event("phx_error")
        self.socket.forget_channel(self)

    def shut_down(self, message: str) -> None:
        """What the server does with a channel whose token no longer holds: say so, and close it."""
        self.push_system("error", message, "system")
        self.socket.close_channel(self)

    def stop(self) -> None:
        """End everything of the channel; sends nothing."""
        self.subscriptions = ()
        self._entries = ()
        self._stop_subscribing()
        if self._readiness is not None:
            self._readiness.cancel()
        if self._token_check is not None:
            self._token_check.cancel()

    async def _tell_when_ready(self) -> None:
        """Once: of a slot that is lost later nobody is told."""
        settings = self.socket.settings
        try:
            async with asyncio.timeout(settings.replication_ready_seconds):
                await self.socket.hub.broadcasts_flow.wait()
        except TimeoutError:
            self.push_system("error", "Replication connection was not established in time", "system")
            self.socket.close_channel(self)
            return
        await asyncio.sleep(random.uniform(0, settings.replication_ready_lag_seconds))
        self.push_system("ok", "Replication connection established", "system")

    def _stop_subscribing(self) -> None:
        if self._subscribing is not None:
            self._subscribing.cancel()

    async def _subscribe(self, ready: Callable[[], Awaitable[None]]) -> None:
        try:
            requests = [parse_change_request(entry) for entry in self._entries]
            token = self.token
            await ready()
            tables = await self.socket.subscriber.check(requests, token.role)
        except (ChangeRequestRefused, SubscriptionRefused) as refusal:
            self.push_system("error", str(refusal))
            return
        self.subscriptions = tuple(
            Subscription(self, entry_id(entry), request, oids, token.role, token.claims)
            for entry, request, oids in zip(self._entries, requests, tables, strict=True)
        )
        self.push_system("ok", _SUBSCRIBED)

    def _watch_token(self) -> None:
        if self._token_check is not None:
            self._token_check.cancel()
        remaining = self.token.expires_at - time.time()
        delay = min(max(remaining, 0.0), self.socket.settings.token_check_seconds)
        self._token_check = asyncio.get_running_loop().call_later(delay, self._check_token)

    def _check_token(self) -> None:
        overdue = time.time() - self.token.expires_at
        if overdue >= 0:
            self.shut_down(expiry_text(int(overdue)))
        else:
            self._watch_token()
