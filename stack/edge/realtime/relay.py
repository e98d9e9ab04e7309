"""What a client broadcasts goes to the others on its topic, and to itself where its join asked for that."""

from __future__ import annotations

from stack.edge.realtime.channel import TOPIC_PREFIX, Channel
from stack.edge.realtime.frames import compact

Answer = tuple[str, object]
"""A reply's status and response."""


async def relay(channel: Channel, payload: object) -> Answer | None:
    """Carry `payload`; None where nothing is answered: no acknowledgement was asked for, or the token may not write.

    As at the real server, whoever may not write to a private topic is told nothing.
    """
    socket = channel.socket
    if channel.is_private and not await _may_write(channel):
        return None
    content = compact(payload)
    answer: Answer = ("ok", {})
    if len(content.encode()) > socket.settings.max_broadcast_bytes:
        answer = ("error", "payload_size_exceeded")
    else:
        socket.hub.relay(channel, content)
    return answer if channel.acknowledges_broadcasts else None


async def _may_write(channel: Channel) -> bool:
    """Asked once; again only if the database did not answer."""
    if channel.may_write is None:
        topic = channel.topic.removeprefix(TOPIC_PREFIX)
        channel.may_write = await channel.socket.subscriber.may_write(topic, channel.token)
    return channel.may_write is True
