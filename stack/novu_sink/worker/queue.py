"""Things to do at given instants, in their order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from stack.novu_sink.control.journal import ReceivedEvent

Action = Callable[[float], None]
"""Is given the instant at which it happens, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """What the API put on the queue, as it was sent."""

    received: ReceivedEvent
    content: Mapping[str, Any]
    at: float


class Queue:
    """A clock that is wound by whoever looks. While it is held, nothing happens; then everything overdue does, then."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Action]] = []
        self._number = count()
        self._released_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, due: float, action: Action) -> None:
        heapq.heappush(self._waiting, (due, next(self._number), action))

    def run_next(self, now: float) -> bool:
        """Do the next thing that is due; False if there is none."""
        if not self._waiting or self._waiting[0][0] > now:
            return False
        due, _, action = heapq.heappop(self._waiting)
        action(max(due, self._released_at))
        return True

    def release(self, now: float) -> None:
        """After it was held: what should have happened before happens now."""
        self._released_at = now

    def clear(self) -> None:
        self._waiting.clear()
