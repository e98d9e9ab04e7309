"""When a rule fires in its zone, through every change of clocks.

An expression says what a wall clock must show. Where the clock is moved:

- a rule for a *time of day* fires once for each time it names: at the end of the gap if the time is skipped (once,
  however many are), at its first occurrence if the time comes twice;
- an *interval-like* rule (minute or hour starts with `*`) fires at every real instant whose wall clock matches,
  and at no other.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from shared.cron.expression import CronExpression
from shared.cron.firing import Firing
from shared.cron.stretches import FIRST_YEAR, LAST_YEAR, stretches_from

_ONE_SECOND: Final = timedelta(seconds=1)
_ENOUGH: Final = 2
"""So many times the firings that are wanted are found rather than a closer look taken."""


class CronSchedule:
    """The firings of one expression in one zone (from `load_zone`)."""

    def __init__(self, expression: CronExpression, zone: ZoneInfo) -> None:
        self.expression = expression
        self.zone = zone
        self._remembered: tuple[datetime, Firing | None] = (datetime.max.replace(tzinfo=UTC), None)

    def after(self, instant: datetime) -> Iterator[Firing]:
        """The firings strictly after `instant`, in order, computed as they are asked for.

        Starting again from any instant in between gives the same firings. Raises ValueError for a naive instant, or
        one outside the years 1900 to 2999, where the firings end too.
        """
        start = _whole_second_after(instant)
        match_from = _FirstMatch(self.expression).at_or_after
        for stretch in stretches_from(self.zone, start):
            from_stretch = max(start, stretch.start)
            wall = from_stretch.replace(tzinfo=None) + stretch.offset
            if not self.expression.is_interval_like:
                if start <= stretch.start and (nominal := match_from(stretch.wall_before)) < stretch.wall_start:
                    yield Firing.after_gap(stretch.start, self.zone, nominal)
                    wall = stretch.wall_start + _ONE_SECOND
                wall = max(wall, stretch.wall_before)  # in a fold: what the clock shows again has had its firing
            while (match := match_from(wall)) < stretch.wall_end:
                yield Firing.at((match - stretch.offset).replace(tzinfo=UTC), self.zone)
                wall = match + _ONE_SECOND

    def between(self, start_exclusive: datetime, end_inclusive: datetime, limit: int) -> list[Firing]:
        """The first `limit` firings after the one instant and not after the other."""
        return list(islice(takewhile(lambda it: it.instant <= end_inclusive, self.after(start_exclusive)), limit))

    def first_after(self, instant: datetime) -> Firing | None:
        """The first firing strictly after `instant`, None if there is none; raises as `after` does.

        Remembered: who looks at a schedule every second asks for the same firing until it comes.
        """
        asked, first = self._remembered
        if not asked <= instant or (first is not None and first.instant <= instant):
            first = next(self.after(instant), None)
            self._remembered = instant, first
        return first

    def latest_between(self, start_exclusive: datetime, end_inclusive: datetime, limit: int) -> list[Firing]:
        """The last `limit` firings after the one instant and not after the other, in order.

        Found by looking back twice as far each time, and then in between: the cost does not grow with the firings
        before them. A firing lasts a second, so that some stretch holds enough of them and not many more.
        """

        def of_the_last(seconds: int) -> list[Firing]:
            back = max(start_exclusive, end_inclusive - _ONE_SECOND * seconds)
            return self.between(back, end_inclusive, limit * _ENOUGH + 1)

        all_seconds = max(1, (end_inclusive - start_exclusive) // _ONE_SECOND + 1)
        too_few, seconds = 0, 1
        while len(found := of_the_last(seconds)) < limit and seconds < all_seconds:
            too_few, seconds = seconds, min(seconds * 2, all_seconds)
        too_many = seconds
        while len(found) > limit * _ENOUGH:
            middle = (too_few + too_many) // 2
            if len(closer := of_the_last(middle)) < limit:
                too_few = middle
            else:
                too_many, found = middle, closer
        return found[-limit:]


class _FirstMatch:
    """Remembers the last answer: a rule that fires once a year is not searched anew for every stretch."""

    def __init__(self, expression: CronExpression) -> None:
        self._expression = expression
        self._asked = self._found = datetime.max

    def at_or_after(self, wall: datetime) -> datetime:
        """The first matching reading at or after `wall`."""
        if not self._asked <= wall <= self._found:
            self._asked, self._found = wall, self._expression.first_match(wall)
        return self._found


def _whole_second_after(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant has an offset from UTC; this one has none")
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"firings are known for the years {FIRST_YEAR} to {LAST_YEAR} only")
    return instant.astimezone(UTC).replace(microsecond=0) + _ONE_SECOND
