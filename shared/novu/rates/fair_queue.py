"""Who gets the next tokens: lanes by turns, one token at a turn, so that who asks for many delays nobody. Pure."""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from shared.ports import PutOff


@dataclass(slots=True, eq=False)
class Ask:
    """So many tokens are still `missing`; `answer` is called with None once none is, or with why there will be none."""

    lane: Hashable
    missing: int
    answer: Callable[[PutOff | None], None]
    gathered: int = 0


class FairQueue:
    """Asks of one lane are served in order; `missing` counts the tokens of all."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, deque[Ask]] = {}
        self.missing = 0

    def __len__(self) -> int:
        """How many lanes wait."""
        return len(self._lanes)

    def add(self, ask: Ask) -> None:
        """At the end of its lane; a new lane is the last in turn."""
        self._lanes.setdefault(ask.lane, deque()).append(ask)
        self.missing += ask.missing

    def give(self, tokens: int) -> int:
        """Hand them out; returns those that nobody asked for."""
        while tokens and self._lanes:
            lane = next(iter(self._lanes))
            asks = self._lanes.pop(lane)
            ask = asks[0]
            ask.missing -= 1
            ask.gathered += 1
            self.missing -= 1
            tokens -= 1
            if not ask.missing:
                asks.popleft()
            if asks:
                self._lanes[lane] = asks
            if not ask.missing:
                ask.answer(None)
        return tokens

    def refuse(self, put_off: PutOff) -> None:
        """Nobody gets any."""
        lanes, self._lanes, self.missing = self._lanes, {}, 0
        for asks in lanes.values():
            for ask in asks:
                ask.answer(put_off)

    def withdraw(self, ask: Ask) -> int:
        """It is not waited for any more; returns what it had gathered."""
        asks = self._lanes.get(ask.lane)
        if not asks or ask not in asks:
            return 0
        asks.remove(ask)
        if not asks:
            del self._lanes[ask.lane]
        self.missing -= ask.missing
        return ask.gathered
