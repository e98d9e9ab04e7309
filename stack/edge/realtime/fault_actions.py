"""What each fault does to the sockets and channels of a running service. Each returns how many it affected."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from stack.edge.realtime.channel import TOPIC_PREFIX
from stack.edge.realtime.disturbances import (
    ChannelLimit,
    Disturbance,
    EventDelay,
    EventLoss,
    Freeze,
    HandshakeRefusal,
    JoinRefusal,
    PollerGone,
    RestTrouble,
    RevokedKey,
)
from stack.edge.realtime.fault_orders import (
    CloseOrder,
    DelayEventsOrder,
    FaultOrder,
    FreezeOrder,
    LimitChannelsOrder,
    LoseEventsOrder,
    MalformedEventOrder,
    PlainOrder,
    RateLimitOrder,
    RefuseHandshakesOrder,
    RefuseJoinsOrder,
    RestOrder,
    RevokeKeyOrder,
    SocketsOrder,
    TenantOrder,
    TopicOrder,
)
from stack.edge.realtime.parties import Connected, Joined
from stack.edge.realtime.service import RealtimeService
from stack.edge.realtime.tokens import expiry_text

# A change like any other, for the faults that send one of their own.
_EVENT: dict[str, Any] = {
    "table": "unknown",
    "type": "INSERT",
    "record": {},
    "columns": [],
    "errors": None,
    "schema": "public",
    "commit_timestamp": "2026-01-01T00:00:00.000Z",
}
_TENANT_REFUSALS = {
    "changed": (401, "Failed to validate JWT signature"),
    "suspended": (403, "Realtime was disabled for this tenant"),
    "deleted": (404, "Tenant not found"),
}
_SERVICE_RESTART = 1012
Action = tuple[type[FaultOrder], Callable[[Any], Awaitable[int]]]


class FaultActions:
    """The faults by name. Those that last are kept by the hub's disturbances."""

    def __init__(self, service: RealtimeService) -> None:
        self._service = service

    def by_name(self) -> dict[str, Action]:
        """Each fault's order and what carries it out."""
        return {
            "drop": (SocketsOrder, self.drop),
            "freeze": (FreezeOrder, self.freeze),
            "close": (CloseOrder, self.close),
            "phx_close": (TopicOrder, self.phx_close),
            "phx_error": (TopicOrder, self.phx_error),
            "expire_token": (TopicOrder, self.expire_token),
            "refuse_joins": (RefuseJoinsOrder, self.refuse_joins),
            "refuse_handshakes": (RefuseHandshakesOrder, self.refuse_handshakes),
            "delay_events": (DelayEventsOrder, self.delay_events),
            "lose_events": (LoseEventsOrder, self.lose_events),
            "rate_limit": (RateLimitOrder, self.rate_limit),
            "rest": (RestOrder, self.rest),
            "kill_slot": (PlainOrder, self.kill_slot),
            "kill_broadcast_slot": (PlainOrder, self.kill_broadcast_slot),
            "drop_partition": (PlainOrder, self.drop_partition),
            "poller_gives_up": (PlainOrder, self.poller_gives_up),
            "limit_channels": (LimitChannelsOrder, self.limit_channels),
            "revoke_key": (RevokeKeyOrder, self.revoke_key),
            "tenant": (TenantOrder, self.tenant),
            "malformed_event": (MalformedEventOrder, self.malformed_event),
            "unauthorized_event": (TopicOrder, self.unauthorized_event),
        }

    def described(self) -> list[dict[str, Any]]:
        """What is in force, for a person to read."""
        disturbances = self._service.hub.disturbances
        return [
            {
                "fault": disturbance.name,
                "detail": disturbance.detail,
                "seconds_left": None
                if disturbance.until is None
                else round(disturbance.until - disturbances.clock(), 3),
                "times_left": disturbance.times_left,
            }
            for disturbance in disturbances.active()
        ]

    def end_all(self) -> None:
        self._service.hub.disturbances.end_all()
        self._thaw()

    def end(self, name: str) -> bool:
        """End the fault of that name; False if it is not in force."""
        ended = self._service.hub.disturbances.end(name)
        if name == "freeze":
            ended = self._thaw() or ended
        return ended

    async def drop(self, order: SocketsOrder) -> int:
        """TCP reset, no close frame."""
        sockets = self._sockets(order)
        for socket in sockets:
            socket.wire.abort()
        return len(sockets)

    async def freeze(self, order: FreezeOrder) -> int:
        """Sockets stay open; nothing is read or written, pings are not answered."""
        sockets = self._sockets(order)
        for socket in sockets:
            socket.freeze(order.seconds)
        if order.sockets is None:
            self._begin(Freeze("freeze", "handshakes hang, sockets are frozen", self._until(order.seconds), None))
        return len(sockets)

    async def close(self, order: CloseOrder) -> int:
        """A close frame from the server."""
        sockets = self._sockets(order)
        for socket in sockets:
            await socket.close(order.code, order.reason)
        return len(sockets)

    async def phx_close(self, order: TopicOrder) -> int:
        """The channel ends on the server's side, the socket stays."""
        return self._on_channels(order, lambda channel: channel.close())

    async def phx_error(self, order: TopicOrder) -> int:
        """The channel's process has crashed: the client is told, the channel is gone."""
        return self._on_channels(order, lambda channel: channel.crash())

    async def expire_token(self, order: TopicOrder) -> int:
        """What happens when the channel's token expires, now."""
        return self._on_channels(order, lambda channel: channel.shut_down(expiry_text(0)))

    async def refuse_joins(self, order: RefuseJoinsOrder) -> int:
        """Joins are answered with an error, and the socket is blocked meanwhile."""
        until = self._until(order.seconds)
        self._begin(JoinRefusal("refuse_joins", order.reason, until, order.joins, order.reason, order.delay_seconds))
        return 0

    async def refuse_handshakes(self, order: RefuseHandshakesOrder) -> int:
        """Handshakes are answered with an HTTP status, after the usual delay."""
        detail, until = f"status {order.status}", self._until(order.seconds)
        self._begin(HandshakeRefusal("refuse_handshakes", detail, until, order.handshakes, order.status, order.body))
        return 0

    async def delay_events(self, order: DelayEventsOrder) -> int:
        """Change events come late, in order."""
        detail, until = f"{order.delay_seconds} s each", self._until(order.seconds)
        self._begin(EventDelay("delay_events", detail, until, None, order.delay_seconds))
        return 0

    async def lose_events(self, order: LoseEventsOrder) -> int:
        """Change events vanish while everything else looks well."""
        detail = "change events vanish" if order.table is None else f"change events of {order.table} vanish"
        self._begin(EventLoss("lose_events", detail, self._until(order.seconds), None, order.table))
        return 0

    async def rate_limit(self, order: RateLimitOrder) -> int:
        """As when the tenant's event limit has tripped: on the wire a silent loss like any other."""
        self._begin(EventLoss("rate_limit", "too many events a second", self._until(order.seconds), None))
        return 0

    async def rest(self, order: RestOrder) -> int:
        """Not of Realtime: calls of the REST half are refused, or their answers late or lost."""
        detail, until = order.how, self._until(order.seconds)
        how = (order.how, order.status, order.delay_seconds, order.function)
        self._begin(RestTrouble("rest", detail, until, order.requests, *how))
        return 0

    async def revoke_key(self, order: RevokeKeyOrder) -> int:
        """An API key is deleted: the REST half and handshakes refuse it, and every socket is closed."""
        self._begin(RevokedKey("revoke_key", "an API key is deleted", None, None, order.key))
        sockets = list(self._service.hub.sockets)
        for socket in sockets:
            socket.close_after_mail(_SERVICE_RESTART)
        return len(sockets)

    async def kill_slot(self, _: PlainOrder) -> int:
        """pg_terminate_backend of the feed's connection: the slot is gone, what is committed meanwhile is lost."""
        return int(await self._service.kill_slot())

    async def kill_broadcast_slot(self, _: PlainOrder) -> int:
        """The same for broadcast's slot, for whose successor the server takes its time."""
        return int(await self._service.kill_broadcast_slot())

    async def drop_partition(self, _: PlainOrder) -> int:
        """Today's partition of realtime.messages is gone until the server connects anew."""
        return int(await self._service.drop_todays_partition())

    async def poller_gives_up(self, _: PlainOrder) -> int:
        """After many failures the poller stops for good: joins are confirmed, heartbeats answered, no change comes."""
        self._begin(PollerGone("poller_gives_up", "nothing polls the slot", None, None))
        return 0

    async def limit_channels(self, order: LimitChannelsOrder) -> int:
        """Joins beyond so many channels of one socket are refused, each of which blocks the socket meanwhile."""
        self._begin(ChannelLimit("limit_channels", f"{order.channels} for each socket", None, None, order.channels))
        return 0

    async def tenant(self, order: TenantOrder) -> int:
        """The tenant's record is changed: each channel is told, each socket closed, and nobody is let in again."""
        status, reason = _TENANT_REFUSALS[order.becomes]
        body = json.dumps({"error": reason}, separators=(",", ":"))
        self._begin(HandshakeRefusal("tenant", f"it is {order.becomes}", None, None, status, body))
        for channel in self._service.hub.channels():
            channel.push_disconnect()
        sockets = list(self._service.hub.sockets)
        for socket in sockets:
            socket.close_after_mail(_SERVICE_RESTART)
        return len(sockets)

    async def malformed_event(self, order: MalformedEventOrder) -> int:
        """A change event that fails the client's model."""
        return self._send(order, {**_EVENT, order.field: None})

    async def unauthorized_event(self, order: TopicOrder) -> int:
        """A change event as a role gets it that may not select the primary key."""
        return self._send(order, {**_EVENT, "errors": ["Error 401: Unauthorized"], "commit_timestamp": None})

    def _send(self, order: TopicOrder, data: dict[str, Any]) -> int:
        def push(channel: Joined) -> None:
            ids = [subscription.id for subscription in channel.subscriptions]
            channel.push_change(json.dumps({"data": data, "ids": ids}))

        return self._on_channels(order, push)

    def _sockets(self, order: SocketsOrder) -> list[Connected]:
        return list(self._service.hub.sockets)[: order.sockets]

    def _on_channels(self, order: TopicOrder, act: Callable[[Joined], None]) -> int:
        topic = None if order.topic is None else TOPIC_PREFIX + order.topic.removeprefix(TOPIC_PREFIX)
        channels = [channel for channel in self._service.hub.channels() if topic in (None, channel.topic)]
        for channel in channels:
            act(channel)
        return len(channels)

    def _thaw(self) -> bool:
        frozen = [socket for socket in self._service.hub.sockets if socket.wire.frozen]
        for socket in frozen:
            socket.thaw()
        return bool(frozen)

    def _begin(self, disturbance: Disturbance) -> None:
        self._service.hub.disturbances.begin(disturbance)

    def _until(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._service.hub.disturbances.clock() + seconds
