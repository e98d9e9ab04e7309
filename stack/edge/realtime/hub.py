"""Who is connected and what they are subscribed to; the limits that hold for all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from stack.edge.realtime.disturbances import Disturbances
from stack.edge.realtime.parties import Connected, Event, Joined, Subscription
from stack.edge.realtime.rate_counter import RateCounter
from stack.edge.realtime.settings import RealtimeSettings


@dataclass
class Counts:
    """What happened since the start."""

    events_sent: int = 0
    events_lost: int = 0
    polls: int = 0
    slots_created: int = 0
    broadcast_slots_created: int = 0
    handshakes_refused: int = 0
    joins_refused: int = 0


@dataclass
class Hub:
    """The registry of sockets and subscriptions."""

    settings: RealtimeSettings
    sockets: set[Connected] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        clock = asyncio.get_running_loop().time
        self.disturbances = Disturbances(clock)
        self.events = RateCounter(self.settings.max_events_per_second, self.settings.rate_bucket_seconds, clock)
        self.joins = RateCounter(self.settings.max_joins_per_second, self.settings.rate_bucket_seconds, clock)
        # Set while some channel wants changes, subscribed already or not: then there must be a slot.
        self.changes_wanted = asyncio.Event()
        # Set while broadcast has its replication slot.
        self.broadcasts_flow = asyncio.Event()

    def channels(self) -> list[Joined]:
        return [channel for socket in self.sockets for channel in socket.channels.values()]

    def subscriptions(self) -> list[Subscription]:
        return [subscription for channel in self.channels() for subscription in channel.subscriptions]

    def interest_changed(self) -> None:
        """To be called when a channel that wants changes comes or goes."""
        if any(channel.wants_changes for channel in self.channels()):
            self.changes_wanted.set()
        else:
            self.changes_wanted.clear()

    def broadcast(self, topic: str, is_private: bool, table: str, payload: str) -> None:
        """Put a message into the mailboxes of those on its topic, unless a limit or a fault silently eats it. It counts
        once for itself and once for each of them.
        """
        if self.disturbances.is_lost(table) or self.events.tripped:
            self.counts.events_lost += 1
            return
        audience = [each for each in self.channels() if each.hears(topic, is_private)]
        self.events.add(1 + len(audience))
        self.counts.events_sent += len(audience)
        for channel in audience:
            channel.push_broadcast(payload)

    def relay(self, sender: Joined, payload: str) -> None:
        """Put what a client says into the mailboxes of those on its topic; it counts as a broadcast does."""
        audience = [
            each
            for each in self.channels()
            if each.topic == sender.topic
            and each.is_private == sender.is_private
            and (each is not sender or sender.hears_itself)
        ]
        if self.events.tripped:
            self.counts.events_lost += 1
            return
        self.events.add(1 + len(audience))
        self.counts.events_sent += len(audience)
        for channel in audience:
            channel.push_broadcast(payload)

    def deliver(self, events: Iterable[Event]) -> None:
        """Put change events into their sockets' mailboxes, unless a limit or a fault silently eats them."""
        for event in events:
            if self.disturbances.is_lost(event.table) or self.events.tripped:
                self.counts.events_lost += 1
                continue
            self.events.add(event.subscription_count)
            self.counts.events_sent += 1
            event.channel.push_change(event.payload)
