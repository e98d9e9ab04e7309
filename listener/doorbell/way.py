"""How rings are carried: what is to be joined for them, and how what comes is handed on."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from realtime import AsyncRealtimeChannel

from shared.ports import FeedWay


class Hearer(Protocol):
    """Told by the library's reader, on its own task: neither may wait or raise."""

    def on_ring(self, ring: Any, committed_at: datetime | None = None) -> None:
        """Somebody rang; `ring` is whatever came, `committed_at` when that was committed, if that is known."""
        ...

    def on_beat(self, beat: Any) -> None:
        """A beat of the canary came back."""
        ...

    def on_unreadable(self, reason: str) -> None:
        """Something came that holds neither."""
        ...


@dataclass(frozen=True, slots=True)
class SeatRequest:
    """One channel to join. `broadcast` is its configuration of that name; the server confirms it with a system message
    of `confirmed_by`; `attach` has what comes handed to a hearer.
    """

    topic: str
    private: bool
    broadcast: dict[str, bool]
    confirmed_by: str
    attach: Callable[[AsyncRealtimeChannel, Hearer], None]


class Way(Protocol):
    """One of the ways that rings are carried."""

    name: FeedWay

    def seats(self, listener_id: str, shards: Collection[int]) -> Sequence[SeatRequest]:
        """All that is to be joined to hear rings in these shards, and the beats of this listener."""
        ...
