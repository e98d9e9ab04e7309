"""Between the sockets, which must never wait, and the consumer, which may."""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime

from listener.doorbell.ring import Change
from shared.ports import FeedEvent, FeedGap, FeedLate, RowChange, RowRetracted, RowScheduled, RuleChanged


class Outbox:
    """A bounded queue. A change for which there is no room becomes a gap: the table is read instead.

    Of each enterprise, changes of its rules that wait to be taken are one, and of its scheduled rows that wait only
    the earliest matters.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._changes: deque[RowChange | RowRetracted] = deque()
        self._rules_changed: dict[str, RuleChanged] = {}
        self._scheduled: dict[str, datetime] = {}
        self._gaps: dict[str, str] = {}
        self._late: set[str] = set()
        self._something = asyncio.Event()
        self._closed = False

    def put_change(self, change: Change) -> None:
        """Queue a change; never waits."""
        match change:
            case RuleChanged(enterprise_id):
                self._rules_changed[enterprise_id] = change
            case RowScheduled(enterprise_id, instant):
                self._scheduled[enterprise_id] = min(instant, self._scheduled.get(enterprise_id, instant))
            case _ if len(self._changes) < self._capacity:
                self._changes.append(change)
            case _:
                self.put_gap((change.enterprise_id,), "more changes than were taken")
        self._something.set()

    def put_gap(self, enterprise_ids: Iterable[str], reason: str) -> None:
        """Note that changes may have been missed; gaps of one enterprise that wait to be taken are one gap."""
        self._gaps.update(dict.fromkeys(enterprise_ids, reason))
        self._something.set()

    def put_late(self, enterprise_ids: Iterable[str]) -> None:
        """Note that changes are not worth waiting for now."""
        self._late.update(enterprise_ids)
        self._something.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._something.set()

    async def take(self) -> FeedEvent | None:
        """The next gap or change; None when closed and empty.

        A gap may overtake earlier changes: its sweep reads rows that were committed before it in any case.
        """
        while (event := self._next()) is None and not self._closed:
            self._something.clear()
            await self._something.wait()
        return event

    def _next(self) -> FeedEvent | None:
        if self._gaps:
            return self._take_gap()
        if self._late:
            late, self._late = FeedLate(frozenset(self._late)), set()
            return late
        if self._rules_changed:
            return self._rules_changed.pop(next(iter(self._rules_changed)))
        if self._scheduled:
            enterprise_id = next(iter(self._scheduled))
            return RowScheduled(enterprise_id, self._scheduled.pop(enterprise_id))
        return self._changes.popleft() if self._changes else None

    def _take_gap(self) -> FeedGap:
        """All enterprises that share the oldest gap's reason."""
        reason = next(iter(self._gaps.values()))
        enterprise_ids = frozenset(key for key, value in self._gaps.items() if value == reason)
        for enterprise_id in enterprise_ids:
            del self._gaps[enterprise_id]
        return FeedGap(enterprise_ids, reason)
