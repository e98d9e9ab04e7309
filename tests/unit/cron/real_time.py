"""The oracle: goes through real time minute by minute, looks at the wall clock, and applies the stated policy.

It shares nothing with `shared.cron` but the zones' data.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.cron.zone import load_zone, zone_names
from tests.unit.cron.cases import Case

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
_QUIET_DAY = datetime(2030, 6, 15, tzinfo=UTC)
_ONE_MINUTE = timedelta(minutes=1)
_ONE_WEEK = timedelta(weeks=1)
_WIDE = timedelta(hours=10)
_NARROW = timedelta(minutes=100)
"""Longer than any gap or fold of these years."""


@dataclass(frozen=True)
class Change:
    """At `instant` the offset of `zone` from UTC changes; a zone that never changes has one on a quiet day, by 0."""

    zone: ZoneInfo = field(compare=False)
    instant: datetime
    before: timedelta
    after: timedelta


@cache
def every_change() -> tuple[Change, ...]:
    """Of every IANA zone, 2025 to 2035; zones with the same offsets throughout are one."""
    by_content = {files("tzdata.zoneinfo").joinpath(name).read_bytes(): name for name in sorted(zone_names())}
    distinct: dict[tuple[Change, ...], tuple[Change, ...]] = {}
    for zone in map(load_zone, by_content.values()):
        offset = _offset(zone, _QUIET_DAY)
        changes = tuple(_changes(zone)) or (Change(zone, _QUIET_DAY, offset, offset),)
        distinct.setdefault(changes, changes)
    return tuple(change for changes in distinct.values() for change in changes)


def window(change: Change, case: Case) -> tuple[datetime, datetime]:
    """The first and the last whole minute, UTC, of the time around the change that the case is tested in."""
    around = _NARROW if case.is_dense else _WIDE
    return change.instant - around, change.instant + around


def expected_firings(change: Change, case: Case) -> list[datetime]:
    """The instants, by direct reasoning in UTC."""
    first, last = window(change, case)
    seen = _what_the_clock_shows(change)
    minutes = {seen.start + _ONE_MINUTE * count for count, wall in enumerate(seen.walls) if case.matches(wall)}
    late: set[datetime] = set()
    if not case.is_interval_like:
        minutes -= seen.repeated
        late = {minute for minute, skipped in seen.skipped.items() if any(map(case.matches, skipped))}
    on_time = {minute + timedelta(seconds=second) for minute in minutes for second in case.seconds}
    return sorted(instant for instant in on_time | late if first <= instant <= last)


@dataclass(frozen=True)
class ClockWatch:
    """What somebody sees who looks at the clock every minute and writes it down."""

    start: datetime
    walls: list[datetime]
    """What the clock shows at `start` and at each minute after it: naive."""
    repeated: set[datetime]
    """Minutes at which it shows what it has shown before."""
    skipped: dict[datetime, list[datetime]]
    """Minutes at which it has jumped, and the readings that it left out."""


@cache
def _what_the_clock_shows(change: Change) -> ClockWatch:
    minute, end = change.instant - _WIDE, change.instant + _WIDE
    watch = ClockWatch(minute, [], set(), {})
    shown: set[datetime] = set()
    while minute <= end:
        wall = minute.astimezone(change.zone).replace(tzinfo=None, fold=0)
        if wall in shown:
            watch.repeated.add(minute)
        elif watch.walls and (left_out := list(_minutes_between(watch.walls[-1] + _ONE_MINUTE, wall))):
            watch.skipped[minute] = left_out
        shown.add(wall)
        watch.walls.append(wall)
        minute += _ONE_MINUTE
    return watch


def _minutes_between(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += _ONE_MINUTE


def _changes(zone: ZoneInfo) -> Iterator[Change]:
    """Found by looking once a week, then by halves: changes are on whole minutes (a test says so).

    No zone changes its clocks and changes them back within a week.
    """
    weeks = [FIRST + _ONE_WEEK * count for count in range((END - FIRST) // _ONE_WEEK + 1)]
    offsets = [_offset(zone, instant) for instant in weeks]
    for (instant, before), (_, after) in pairwise(zip(weeks, offsets, strict=True)):
        if before != after:
            minutes = range(_ONE_WEEK // _ONE_MINUTE + 1)
            until = bisect_left(minutes, True, key=lambda count: _offset(zone, instant + count * _ONE_MINUTE) != before)
            yield Change(zone, instant + until * _ONE_MINUTE, before, after)


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
