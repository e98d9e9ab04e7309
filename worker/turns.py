"""Which deliveries may begin: so few that none waits long for Novu's tokens, and slots stay free for others. Pure."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.novu.rates.lanes import lane_of
from shared.ports import FaultCode, PutOff

AHEAD_SECONDS = 2.0
"""Work that may be begun ahead in a lane: it keeps tokens from being left, and is what a single waits behind."""

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""Of a delivery's being put off: by then there may be fewer before it than were reckoned with."""

_FEW_LANES = 256


@dataclass(slots=True, eq=False)
class _Lane:
    """What was begun will have been sent by `busy_until`, what was put off too by `booked_until`."""

    busy_until: float = 0.0
    booked_until: float = 0.0


class Turns:
    """Reckons with one token for each row, at the pace that the process gets; others' lanes have their shares of it."""

    def __init__(
        self,
        pace: Callable[[], float | None],
        closed: Callable[[], PutOff | None],
        *,
        large_at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pace` in tokens a second, None without bounds; `closed` while Novu takes nothing; `large_at_once` lanes."""
        self._pace = pace
        self._closed = closed
        self._large_at_once = large_at_once
        self._clock = clock
        self._lanes: dict[tuple[str, bool], _Lane] = {}
        self._prune_at = _FEW_LANES

    def enter(self, enterprise_id: str, rows: int, *, returning: bool) -> PutOff | None:
        """Whether a delivery may begin now: None. `returning` ones were put off before, and precede others."""
        if closed := self._closed():
            return closed
        pace = self._pace()
        if pace is None:
            return None
        now = self._clock()
        key = lane_of(enterprise_id, rows)
        self._prune(now)
        lane = self._lanes.setdefault(key, _Lane())
        others = {name: each for name, each in self._lanes.items() if each.busy_until > now and each is not lane}
        takes_seconds = rows * (len(others) + 1) / pace
        ahead = lane.busy_until if returning else max(lane.busy_until, lane.booked_until)
        starts_at = max(lane.busy_until, lane.booked_until, now)
        if not key[1] and lane.busy_until <= now:
            large = sorted(each.busy_until for name, each in others.items() if not name[1])
            if len(large) >= self._large_at_once:
                ahead = starts_at = max(starts_at, large[0] + AHEAD_SECONDS)
        if ahead - now <= AHEAD_SECONDS:
            lane.busy_until = max(lane.busy_until, now) + takes_seconds
            return None
        seconds = starts_at - now
        if seconds < LONGEST_SECONDS:
            lane.booked_until = starts_at + takes_seconds
        else:  # it is to ask again, by when those that are booked have begun
            seconds = LONGEST_SECONDS
        return PutOff(max(seconds, SHORTEST_SECONDS), FaultCode.NOVU_RATE, "others' turn at Novu's rate is before")

    def _prune(self, now: float) -> None:
        if len(self._lanes) > self._prune_at:
            self._lanes = {
                name: lane for name, lane in self._lanes.items() if max(lane.busy_until, lane.booked_until) > now
            }
            self._prune_at = max(_FEW_LANES, 2 * len(self._lanes))


UNCOUNTED = Turns(lambda: None, lambda: None, large_at_once=1)
"""Where there is no rate to keep, everybody begins."""
