"""Real time cut where a zone's clocks change, so that within one piece wall time is UTC plus a constant."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2999
_ONE_DAY: Final = timedelta(days=1)
_ONE_SECOND: Final = timedelta(seconds=1)
_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True)
class Stretch:
    """From `start` (inclusive) to `end` (exclusive), both UTC, wall time is UTC plus `offset`.

    `offset_before` held until `start`. It equals `offset` where a stretch begins only because a year does.
    """

    start: datetime
    end: datetime
    offset: timedelta
    offset_before: timedelta

    @property
    def wall_start(self) -> datetime:
        """What the clock shows at `start`: naive."""
        return self.start.replace(tzinfo=None) + self.offset

    @property
    def wall_end(self) -> datetime:
        """What the clock would show at `end` if it did not change there: naive."""
        return self.end.replace(tzinfo=None) + self.offset

    @property
    def wall_before(self) -> datetime:
        """What the clock would have shown at `start` had it not changed: naive. Earlier than `wall_start`: a gap."""
        return self.start.replace(tzinfo=None) + self.offset_before


def stretches_from(zone: ZoneInfo, instant: datetime) -> Iterator[Stretch]:
    """Every stretch from the one that holds `instant` (UTC) to the end of LAST_YEAR, without a hole."""
    for year in range(instant.year, LAST_YEAR + 1):
        yield from (stretch for stretch in _stretches_of_year(zone, year) if stretch.end > instant)


@lru_cache(maxsize=4096)
def _stretches_of_year(zone: ZoneInfo, year: int) -> tuple[Stretch, ...]:
    """`zoneinfo` does not tell when clocks change, so each day's ends are compared: no zone changes twice in a day."""
    year_start, year_end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    days = [year_start + _ONE_DAY * day for day in range((year_end - year_start).days + 1)]
    offsets = [_offset(zone, day) for day in days]
    changes = [
        _change(zone, day) for day, (before, after) in zip(days, pairwise(offsets), strict=False) if before != after
    ]
    starts = [year_start, *(change for change in changes if change < year_end)]
    return tuple(
        Stretch(start, end, _offset(zone, start), _offset(zone, start - _ONE_SECOND))
        for start, end in pairwise([*starts, year_end])
    )


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """The first second of the day that follows `day` whose offset is another than that of `day`."""
    offset = _offset(zone, day)
    seconds = bisect_left(
        range(_SECONDS_PER_DAY + 1), True, key=lambda s: _offset(zone, day + _ONE_SECOND * s) != offset
    )
    return day + _ONE_SECOND * seconds


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo has one for every aware instant
    return offset
