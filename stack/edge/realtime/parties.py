"""Who is connected, as the hub and what sends through it see them: it knows nothing of how they are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stack.edge.realtime.change_requests import ChangeRequest
from stack.edge.realtime.wire import RealtimeWire


class Joined(Protocol):
    """A channel: one joined topic of one socket."""

    @property
    def topic(self) -> str: ...

    @property
    def subscriptions(self) -> tuple[Subscription, ...]: ...

    @property
    def wants_changes(self) -> bool: ...

    @property
    def is_private(self) -> bool: ...

    @property
    def hears_itself(self) -> bool: ...

    def hears(self, topic: str, is_private: bool) -> bool:
        """Whether broadcasts of this topic, private or not, are for this channel."""
        ...

    def push_change(self, payload: str) -> None:
        """A `postgres_changes` frame around `payload`, JSON already."""
        ...

    def push_broadcast(self, payload: str) -> None:
        """A `broadcast` frame around `payload`, JSON already."""
        ...

    def push_system(self, status: str, message: str) -> None:
        """A `system` frame about changes."""
        ...

    def push_disconnect(self) -> None:
        """The server is about to close the socket."""
        ...

    def resubscribe(self) -> None:
        """Check what is asked for and say "Subscribed" again."""
        ...

    def close(self) -> None:
        """The server's own end of the channel."""
        ...

    def shut_down(self, message: str) -> None:
        """Its token no longer holds: say so, and close it."""
        ...

    def crash(self) -> None:
        """It is gone, and the client is told of an error."""
        ...


class Connected(Protocol):
    """A socket."""

    @property
    def channels(self) -> Mapping[str, Joined]: ...

    @property
    def wire(self) -> RealtimeWire: ...

    def freeze(self, seconds: float) -> None:
        """Neither read nor write for that long."""
        ...

    def thaw(self) -> None:
        """Go on."""
        ...

    async def close(self, code: int, reason: str = "") -> None:
        """A clean close by the server, not waiting for what is to be sent."""
        ...

    def close_after_mail(self, code: int) -> None:
        """The same, once all is sent."""
        ...


@dataclass(frozen=True, eq=False)
class Subscription:
    """One entry of a channel's join, checked: it is for changes of `tables` (oids), seen as `role` with `claims`."""

    channel: Joined
    id: int
    request: ChangeRequest
    tables: frozenset[int]
    role: str
    claims: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change for one channel: its table, its frame's payload as JSON, and how many subscriptions it serves."""

    channel: Joined
    table: str
    payload: str
    subscription_count: int
