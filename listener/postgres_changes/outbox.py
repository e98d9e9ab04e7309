"""Between the sockets, which must never wait, and the consumer, which may."""

import asyncio
from collections import deque
from collections.abc import Iterable

from shared.ports import FeedGap, RowChange


class Outbox:
    """A bounded queue. A change for which there is no room becomes a gap: the table is read instead."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._changes: deque[RowChange] = deque()
        self._gaps: dict[str, str] = {}
        self._something = asyncio.Event()
        self._closed = False

    def put_change(self, change: RowChange) -> None:
        """Queue a change; never waits."""
        if len(self._changes) >= self._capacity:
            self.put_gap((change.enterprise_id,), "more changes than were taken")
            return
        self._changes.append(change)
        self._something.set()

    def put_gap(self, enterprise_ids: Iterable[str], reason: str) -> None:
        """Note that changes may have been missed; gaps of one enterprise that wait to be taken are one gap."""
        self._gaps.update(dict.fromkeys(enterprise_ids, reason))
        self._something.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._something.set()

    async def take(self) -> RowChange | FeedGap | None:
        """The next gap or change; None when closed and empty.

        A gap may overtake earlier changes: its sweep reads rows that were committed before it in any case.
        """
        while not (self._gaps or self._changes):
            if self._closed:
                return None
            self._something.clear()
            await self._something.wait()
        if self._gaps:
            return self._take_gap()
        return self._changes.popleft()

    def _take_gap(self) -> FeedGap:
        """All enterprises that share the oldest gap's reason."""
        reason = next(iter(self._gaps.values()))
        enterprise_ids = frozenset(key for key, value in self._gaps.items() if value == reason)
        for enterprise_id in enterprise_ids:
            del self._gaps[enterprise_id]
        return FeedGap(enterprise_ids, reason)
