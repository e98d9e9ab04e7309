"""What is to be seen of a listener, for heartbeats and metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from listener.counters import ListenerCounters
from shared.ports import FeedFlaw, FeedState, FeedStatus


class Observable(Protocol):
    """One listener, or what one process makes of several."""

    @property
    def counters(self) -> ListenerCounters: ...

    @property
    def shards(self) -> frozenset[int]:
        """Those that it hears."""
        ...

    @property
    def temporal_available(self) -> bool:
        """Whether Temporal answered the latest workflow start."""
        ...

    @property
    def unread_rules(self) -> Mapping[str, datetime]:
        """By enterprise, since when its scheduler was told in vain that rules have changed."""
        ...

    @property
    def flaws(self) -> tuple[FeedFlaw, ...]:
        """What keeps changes from it, as of the latest look."""
        ...

    @property
    def feed_status(self) -> FeedStatus:
        """What the feed has observed of itself."""
        ...

    def states(self) -> dict[str, FeedState]:
        """Of each enterprise: whether changes can reach it, and whether what it may have missed has been swept."""
        ...
