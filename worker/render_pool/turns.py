"""Whose item is rendered next: the enterprise's that has had the least of the processor, however many items wait."""

import heapq
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Final

from worker.render_pool.calls import Item, RenderCall

_COSTLY_SECONDS: Final = 0.05
"""Processor time of an enterprise's last item from which on nothing is to stand behind its next."""

_TURN_SECONDS: Final = 0.001
"""Processor time of one turn: a few cheap items, so that who has few of them has them all at once, and what waits for
them goes on, instead of everybody's last item coming at the very end.
"""

_REMEMBERED: Final = 10_000
"""Enterprises whose last cost is remembered while they have nothing to render."""


class _Enterprise:
    """One enterprise's waiting calls, what it has used (on a clock that all share), and what its last item cost."""

    __slots__ = ("arrival", "calls", "in_heap", "last_seconds", "turn", "used_seconds")

    def __init__(self) -> None:
        self.calls: deque[RenderCall] = deque()
        self.in_heap = False
        self.last_seconds = 0.0
        self.used_seconds = 0.0
        self.turn = -1
        self.arrival = 0


class Turns:
    """The waiting items. Between enterprises, turns go by processor time used, and last for a millisecond of it; within
    one, its calls take turns item by item, so that no call waits for the whole of another.
    """

    def __init__(self) -> None:
        self._enterprises: dict[str, _Enterprise] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._arrival = count()
        self._floor_seconds = 0.0

    def add(self, call: RenderCall) -> None:
        """Take a call's waiting items in."""
        if call.waiting:
            enterprise = self._enterprise(call.enterprise_id)
            if not enterprise.calls:
                # Who had nothing waiting saved nothing up: it begins where the others are.
                enterprise.used_seconds = max(enterprise.used_seconds, self._floor_seconds)
            enterprise.calls.append(call)
            self._line_up(call.enterprise_id)

    def put_back(self, items: Sequence[Item]) -> None:
        """Items that were given out and not rendered are the first of their enterprises again."""
        for item in reversed(items):
            item.call.waiting.appendleft(item)
            calls = self._enterprise(item.call.enterprise_id).calls
            if item.call in calls:
                calls.remove(item.call)
            calls.appendleft(item.call)
            self._line_up(item.call.enterprise_id)

    def take(self) -> Item | None:
        """The next item; None if none waits. Calls that nobody waits for any more are dropped on the way."""
        while self._heap:
            turn, _, enterprise_id = heapq.heappop(self._heap)
            enterprise = self._enterprises[enterprise_id]
            enterprise.in_heap = False
            if _turn_at(enterprise.used_seconds) > turn:
                self._line_up(enterprise_id)  # it was charged meanwhile
                continue
            self._floor_seconds = max(self._floor_seconds, turn * _TURN_SECONDS)
            while enterprise.calls:
                call = enterprise.calls.popleft()
                if call.is_over or not call.waiting:
                    continue
                item = call.waiting.popleft()
                if call.waiting:
                    enterprise.calls.append(call)
                self._line_up(enterprise_id)
                return item
        return None

    def charge(self, enterprise_id: str, seconds: float) -> None:
        """Note the processor time that an item of the enterprise has taken."""
        enterprise = self._enterprise(enterprise_id)
        enterprise.used_seconds += seconds
        enterprise.last_seconds = seconds

    def is_costly(self, enterprise_id: str) -> bool:
        """Whether what it rendered last took long."""
        return self._enterprise(enterprise_id).last_seconds > _COSTLY_SECONDS

    def clear(self) -> None:
        """Forget all that waits."""
        self._enterprises.clear()
        self._heap.clear()

    def _enterprise(self, enterprise_id: str) -> _Enterprise:
        enterprise = self._enterprises.get(enterprise_id)
        if enterprise is None:
            if len(self._enterprises) >= _REMEMBERED:
                self._forget_the_idle()
            enterprise = self._enterprises[enterprise_id] = _Enterprise()
        return enterprise

    def _forget_the_idle(self) -> None:
        for enterprise_id in [it for it, enterprise in self._enterprises.items() if not enterprise.calls]:
            del self._enterprises[enterprise_id]

    def _line_up(self, enterprise_id: str) -> None:
        """Put it where it belongs: in its turn it keeps its place."""
        enterprise = self._enterprises[enterprise_id]
        if enterprise.calls and not enterprise.in_heap:
            enterprise.in_heap = True
            turn = _turn_at(enterprise.used_seconds)
            if turn != enterprise.turn:
                enterprise.turn, enterprise.arrival = turn, next(self._arrival)
            heapq.heappush(self._heap, (turn, enterprise.arrival, enterprise_id))


def _turn_at(used_seconds: float) -> int:
    """Which of its turns an enterprise is in that has used so much."""
    return int(used_seconds / _TURN_SECONDS)
