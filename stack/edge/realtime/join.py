"""Whether a join is admitted: the real server's order of checks and its words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from stack.edge.realtime.channel import TOPIC_PREFIX, Carrier, Channel
from stack.edge.realtime.frames import ClientFrame
from stack.edge.realtime.subscriber import MissingPartition
from stack.edge.realtime.tokens import Token, TokenRefused, verify_token


class Host(Carrier, Protocol):
    """What an admission needs of the socket on which it is asked for."""

    @property
    def channels(self) -> Mapping[str, Channel]: ...

    @property
    def token(self) -> Token: ...


class JoinRefused(Exception):
    """A join answered with an error after `delay_seconds`; with `ends_socket` the server then closes."""

    def __init__(self, reason: str, delay_seconds: float, *, ends_socket: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_seconds = delay_seconds
        self.ends_socket = ends_socket


def admit(socket: Host, frame: ClientFrame) -> Channel:
    """The channel that `frame` asks for, not started. Raises JoinRefused."""
    hub, settings = socket.hub, socket.settings
    delay = settings.join_error_delay_seconds
    hub.joins.add()
    refusal = hub.disturbances.join_refusal()
    if refusal is not None:
        raise JoinRefused(refusal.reason, delay if refusal.delay_seconds is None else refusal.delay_seconds)
    if frame.topic == TOPIC_PREFIX:
        raise JoinRefused("TopicNameRequired: You must provide a topic name", delay)
    if hub.joins.tripped:
        raise JoinRefused("ClientJoinRateLimitReached: Too many joins per second", delay, ends_socket=True)
    most_channels = hub.disturbances.channel_limit(settings.max_channels_per_socket)
    if frame.topic not in socket.channels and len(socket.channels) >= most_channels:
        raise JoinRefused("ChannelRateLimitReached: Too many channels", delay)
    payload = frame.payload if isinstance(frame.payload, dict) else {}
    config = payload.get("config") or {}
    if isinstance(config, str):
        # As from clients before there was a config: the topic itself says what is asked for.
        config = {"postgres_changes": [_entry_of_topic(frame.topic)]}
    if not isinstance(config, dict):
        raise JoinRefused("UnknownErrorOnChannel: no function clause matching in Access.get/3", delay)
    return Channel(
        socket,
        frame.topic,
        frame.join_ref,
        _token(socket, payload.get("access_token"), delay),
        _entries(config, delay),
        acknowledges_broadcasts=_broadcast(config).get("ack") is True,
        hears_itself=_broadcast(config).get("self") is True,
        wants_replication_ready=_broadcast(config).get("replication_ready") is True,
        is_private=config.get("private") is True,
        presence_key=_presence_key(config),
    )


def _token(socket: Host, offered: object, delay: float) -> Token:
    """The join's own token; without one, or with an API key in its place, the one of the handshake."""
    text = offered if isinstance(offered, str) and offered and not offered.startswith("sb_") else socket.token.text
    try:
        return verify_token(text, socket.jwt_secret)
    except TokenRefused as refusal:
        raise JoinRefused(refusal.on_join(), delay) from refusal


def _entries(config: dict[str, Any], delay: float) -> list[dict[str, Any]]:
    entries = config.get("postgres_changes")
    if not isinstance(entries, list):
        return []
    if not all(isinstance(entry, dict) for entry in entries):
        raise JoinRefused("UnknownErrorOnChannel: no function clause matching in Access.get/3", delay)
    return entries


def _entry_of_topic(topic: str) -> dict[str, Any]:
    """`realtime:<schema>[:<table>[:<filter>]]`."""
    return dict(zip(("schema", "table", "filter"), topic.removeprefix(TOPIC_PREFIX).split(":", 2), strict=False))


def _presence_key(config: dict[str, Any]) -> str:
    """The client's own word for itself; without one the server makes one up."""
    presence = config.get("presence")
    key = presence.get("key") if isinstance(presence, dict) else None
    return key if isinstance(key, str) and key else str(uuid.uuid4())


def _broadcast(config: dict[str, Any]) -> dict[str, Any]:
    broadcast = config.get("broadcast")
    return broadcast if isinstance(broadcast, dict) else {}


async def authorize(socket: Host, channel: Channel) -> None:
    """Whoever joins a private topic must be allowed to read it. Raises JoinRefused."""
    topic, delay = channel.topic.removeprefix(TOPIC_PREFIX), socket.settings.join_error_delay_seconds
    try:
        may_read = await socket.subscriber.may_read(topic, channel.token)
    except MissingPartition:
        reason = "MissingPartition: Realtime was unable to find the expected messages partition"
        raise JoinRefused(reason, delay) from None
    if not may_read:
        raise JoinRefused(f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}", delay)
