"""Which deliveries may begin: so few that none waits long for Novu's tokens, and slots stay free for others."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.novu.rates.lanes import lane_of
from shared.ports import FaultCode, PutOff

AHEAD_SECONDS = 2.0
"""Work that may be begun ahead in a lane: it keeps tokens from being left, and is what a single waits behind."""

RETURNS_PER_TURN = 3.0
"""So many of those that were put off come back, on the average, while one has its turn: then none is left without."""

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 200.0
"""Of a delivery's being put off, half of it more or less."""

_FEW_LANES = 256


@dataclass(slots=True, eq=False)
class _Lane:
    """The `begun` deliveries will have ended by `busy_until`. `waiting` rows were put off and are back by `back_by`."""

    begun: int = 0
    busy_until: float = 0.0
    waiting: float = 0.0
    back_by: float = 0.0


class Door(Protocol):
    """Whether a delivery may begin, and that it has ended: see Turns."""

    def enter(self, enterprise_id: str, rows: int, *, returning: bool) -> PutOff | None: ...

    def leave(self, enterprise_id: str, rows: int) -> None: ...


class Turns:
    """Reckons with one token for each row, at the pace that the process gets; others' lanes have their shares of it.

    Workers know nothing of each other's turns: who is put off by one may come back to another, as many there as here.
    """

    def __init__(
        self,
        pace: Callable[[], float | None],
        closed: Callable[[], PutOff | None],
        *,
        large_at_once: int,
        own_pace: Callable[[str], float | None] = lambda _: None,
        own_closed: Callable[[str], PutOff | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`pace` in tokens a second, None without bounds; `closed` while Novu takes nothing; bulk: `large_at_once`. The
        `own` ones are an enterprise's own, and hold beside the others.
        """
        self._pace = pace
        self._closed = closed
        self._large_at_once = large_at_once
        self._own_pace = own_pace
        self._own_closed = own_closed
        self._clock = clock
        self._chance = chance
        self._lanes: dict[tuple[str, bool], _Lane] = {}
        self._prune_at = _FEW_LANES

    def enter(self, enterprise_id: str, rows: int, *, returning: bool) -> PutOff | None:
        """Whether a delivery may begin now: None, and then it `leave`s. Those `returning` were put off and go first."""
        if closed := self._closed() or self._own_closed(enterprise_id):
            return closed
        pace, own_pace = self._pace(), self._own_pace(enterprise_id)
        if pace is None and own_pace is None:
            return None
        now = self._clock()
        key = lane_of(enterprise_id, rows)
        self._prune(now)
        lane = self._lanes.setdefault(key, _Lane())
        if lane.back_by < now:
            lane.waiting = 0.0
        elif returning:
            lane.waiting = max(lane.waiting - rows, 0.0)
        seconds_per_row = self._seconds_per_row(lane, pace, own_pace, now)
        ahead_seconds = lane.busy_until - now + (0.0 if returning else lane.waiting * seconds_per_row)
        if ahead_seconds <= AHEAD_SECONDS and (key[1] or self._has_room()):
            lane.begun += 1
            lane.busy_until = max(lane.busy_until, now) + rows * seconds_per_row
            return None
        lane.waiting += rows
        seconds = min(lane.waiting * seconds_per_row / RETURNS_PER_TURN, LONGEST_SECONDS)
        seconds = max(seconds * (0.5 + self._chance()), SHORTEST_SECONDS)
        lane.back_by = max(lane.back_by, now + 2 * seconds)
        if own_pace is not None and seconds_per_row == 1 / own_pace:
            return PutOff(
                seconds, FaultCode.ENTERPRISE_RATE, "others of its enterprise have their turn at its own rate"
            )
        return PutOff(seconds, FaultCode.NOVU_RATE, "others have their turn at Novu's rate")

    def leave(self, enterprise_id: str, rows: int) -> None:
        """The delivery has ended, or goes on another time. It may have been quicker than was reckoned with."""
        lane = self._lanes.get(lane_of(enterprise_id, rows))
        if lane is not None and lane.begun:
            now = self._clock()
            lane.begun -= 1
            lane.busy_until = now + max(lane.busy_until - now, 0.0) * lane.begun / (lane.begun + 1)

    def _seconds_per_row(self, lane: _Lane, pace: float | None, own_pace: float | None, now: float) -> float:
        """By its share of all tokens or by its enterprise's own rate, whichever is less."""
        shared = 0.0
        if pace is not None:
            busy = [name for name, each in self._lanes.items() if each is not lane and each.busy_until > now]
            share = pace / (len(busy) + 1)
            # Who has a smaller rate of his own leaves the rest of his share to the others.
            others = sum((self._own_pace(enterprise_id) or share) >= share for enterprise_id, _ in busy)
            shared = (others + 1) / pace
        return max(shared, 1 / own_pace if own_pace is not None else 0.0)

    def _has_room(self) -> bool:
        return sum(lane.begun for (_, small), lane in self._lanes.items() if not small) < self._large_at_once

    def _prune(self, now: float) -> None:
        if len(self._lanes) > self._prune_at:
            self._lanes = {
                name: each
                for name, each in self._lanes.items()
                if each.begun or max(each.busy_until, each.back_by) > now
            }
            self._prune_at = max(_FEW_LANES, 2 * len(self._lanes))


UNCOUNTED = Turns(lambda: None, lambda: None, large_at_once=1)
"""Where there is no rate to keep, everybody begins."""
