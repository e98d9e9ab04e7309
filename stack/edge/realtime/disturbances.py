"""What is to go wrong, and for how long. The parts of the server ask; stack/edge/faults.py is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Disturbance:
    """In force until a moment of the clock, for a number of times, or both, whichever ends first."""

    name: str
    detail: str
    until: float | None
    times_left: int | None

    def seconds_left(self, now: float) -> float | None:
        return None if self.until is None else round(self.until - now, 3)

    def in_force(self, now: float) -> bool:
        return (self.until is None or now < self.until) and (self.times_left is None or self.times_left > 0)


@dataclass
class JoinRefusal(Disturbance):
    """Joins are answered with an error of this reason, after the usual delay or `delay_seconds`."""

    reason: str = ""
    delay_seconds: float | None = None


@dataclass
class HandshakeRefusal(Disturbance):
    """Handshakes are answered with this status and body."""

    status: int = 500
    body: str = ""


@dataclass
class RevokedKey(Disturbance):
    """Handshakes and requests with this API key are refused, as one that was deleted."""

    key: str = ""


@dataclass
class EventDelay(Disturbance):
    """Every change event comes this much later."""

    seconds: float = 0


@dataclass
class EventLoss(Disturbance):
    """No change event comes, of this table or of any, and nothing shows it."""

    table: str | None = None


@dataclass
class PollerGone(Disturbance):
    """The process that polls the slot has given up: joins are confirmed, nothing flows."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class ChannelLimit(Disturbance):
    """A socket may have so many channels, whatever the setting says."""

    channels: int = 1


@dataclass
class RestTrouble(Disturbance):
    """Requests to the REST half are refused with `status`, answered late, never, or never although they were done:
    all of them, or the calls of one function.
    """

    how: Literal["refuse", "slow", "hang", "execute_then_hang"] = "refuse"
    status: int = 503
    delay_seconds: float = 0
    function: str | None = None


@dataclass
class Freeze(Disturbance):
    """Handshakes get no answer; sockets are frozen one by one."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Disturbances:
    """The disturbances in force. At most one of a kind: a new one takes the old one's place."""

    clock: Callable[[], float]
    _by_kind: dict[type[Disturbance], Disturbance] = field(default_factory=dict)

    def begin(self, disturbance: Disturbance) -> None:
        self._by_kind[type(disturbance)] = disturbance

    def end_all(self) -> None:
        for name in {disturbance.name for disturbance in self._by_kind.values()}:
            self.end(name)

    def end(self, name: str) -> bool:
        """End those of that name; False if none was in force."""
        ended = [disturbance for disturbance in self._by_kind.values() if disturbance.name == name]
        for disturbance in ended:
            del self._by_kind[type(disturbance)]
            if isinstance(disturbance, Freeze | PollerGone):
                disturbance.ended.set()
        return any(disturbance.in_force(self.clock()) for disturbance in ended)

    def active(self) -> list[Disturbance]:
        return [disturbance for disturbance in self._by_kind.values() if disturbance.in_force(self.clock())]

    def join_refusal(self) -> JoinRefusal | None:
        """The refusal the next join meets; it counts as met."""
        refusal = self._by_kind.get(JoinRefusal)
        return refusal if isinstance(refusal, JoinRefusal) and self._meet(refusal) else None

    def handshake_refusal(self) -> HandshakeRefusal | None:
        """The refusal the next handshake meets; it counts as met."""
        refusal = self._by_kind.get(HandshakeRefusal)
        return refusal if isinstance(refusal, HandshakeRefusal) and self._meet(refusal) else None

    def rest_trouble(self, path: str) -> RestTrouble | None:
        """What the next request to the REST half, which is to this path, meets; it counts as met."""
        trouble = self._by_kind.get(RestTrouble)
        if not isinstance(trouble, RestTrouble):
            return None
        is_meant = trouble.function is None or path.endswith(f"/rpc/{trouble.function}")
        return trouble if is_meant and self._meet(trouble) else None

    def is_revoked(self, api_key: str | None) -> bool:
        """Whether this key was deleted."""
        revoked = self._by_kind.get(RevokedKey)
        return isinstance(revoked, RevokedKey) and revoked.key == api_key

    def event_delay_seconds(self) -> float:
        delay = self._by_kind.get(EventDelay)
        return delay.seconds if isinstance(delay, EventDelay) and delay.in_force(self.clock()) else 0.0

    def is_lost(self, table: str) -> bool:
        """Whether events of the table are."""
        loss = self._by_kind.get(EventLoss)
        return isinstance(loss, EventLoss) and loss.in_force(self.clock()) and loss.table in (None, table)

    def poller_is_gone(self) -> bool:
        gone = self._by_kind.get(PollerGone)
        return gone is not None and gone.in_force(self.clock())

    async def poller_is_back(self) -> None:
        """Until a poller that has given up is started anew; at once where it has not."""
        gone = self._by_kind.get(PollerGone)
        if isinstance(gone, PollerGone) and self.poller_is_gone():
            await gone.ended.wait()

    def channel_limit(self, otherwise: int) -> int:
        limit = self._by_kind.get(ChannelLimit)
        return limit.channels if isinstance(limit, ChannelLimit) and limit.in_force(self.clock()) else otherwise

    async def freeze_is_over(self) -> None:
        """Until the freeze in force has run its time or is ended; at once without one."""
        freeze = self._by_kind.get(Freeze)
        if not isinstance(freeze, Freeze) or freeze.until is None or not freeze.in_force(self.clock()):
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(freeze.ended.wait(), freeze.until - self.clock())

    def _meet(self, disturbance: Disturbance) -> bool:
        if not disturbance.in_force(self.clock()):
            return False
        if disturbance.times_left is not None:
            disturbance.times_left -= 1
        return True
