"""A seat for each shard, and one for the beats: private topics, on which only the service key may listen."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from realtime import AsyncRealtimeChannel
from realtime.types import BroadcastPayload

from listener.doorbell.way import Hearer, SeatRequest
from shared.ports import FeedWay


class Broadcast:
    """Within a millisecond of the commit, however large. What it begins to lose it may go on losing for minutes, in
    silence: after its replication slot was lost the server waits 5 s to 5 min before it makes another.
    """

    name = FeedWay.BROADCAST

    def seats(self, listener_id: str, shards: Collection[int]) -> Sequence[SeatRequest]:
        """Beats first. A topic is one channel, and several listeners may sit on it."""
        beats = _request(f"xnovu:beat:{listener_id}", _attach_beats)
        return [beats, *(_request(f"xnovu:ring:{shard}", _attach_rings) for shard in sorted(shards))]


def _request(topic: str, attach: Callable[[AsyncRealtimeChannel, Hearer], None]) -> SeatRequest:
    """`replication_ready`: without it the server confirms a seat though nothing can come."""
    return SeatRequest(topic, private=True, broadcast={"replication_ready": True}, confirmed_by="system", attach=attach)


def _attach_beats(channel: AsyncRealtimeChannel, hearer: Hearer) -> None:
    def on_beat(message: BroadcastPayload) -> None:
        hearer.on_beat(_content(message).get("beat"))

    channel.on_broadcast("beat", on_beat)


def _attach_rings(channel: AsyncRealtimeChannel, hearer: Hearer) -> None:
    channel.on_broadcast("ring", lambda message: hearer.on_ring(_content(message)))


def _content(message: BroadcastPayload) -> dict[str, Any]:
    return message["payload"]
