"""What is watched, how much of it is allowed and why, and what is to be said of a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from tests.soak.slope import Point, slope

SECONDS_A_DAY = 86_400.0


class Verdict(StrEnum):
    """GROWS: by more than is allowed, and that is certain. UNSURE: it may, or may not; a longer run tells."""

    FLAT = "flat"
    UNSURE = "unsure"
    GROWS = "grows"
    ABOVE = "above"
    """It is bounded by a number, and came above it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What is allowed, and why. One of the three: growth a day in the series' unit; growth a day as a share of what it
    is in the middle; a number that it never comes above.
    """

    reason: str
    a_day: float | None = None
    share_a_day: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that is watched."""

    unit: str
    bound: Bound


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one series, after the warm-up. Growth is a day's, in the series' unit: estimate, and its limits at 99 %."""

    name: str
    unit: str
    verdict: Verdict
    first: float
    last: float
    highest: float
    a_day: float
    a_day_low: float
    a_day_high: float
    allowed: float
    reason: str


_MEMORY = Kind("MB", Bound("an instance of 512 MB that begins with 250 lives for a day of this load", a_day=256))
_HANDLES = Kind("", Bound("1,024, what shells and service managers give, last ten days", a_day=100))
_THREADS = Kind("", Bound("nothing of ours makes threads as it goes; one in a quarter of an hour", a_day=100))
_TASKS = Kind("", Bound("as many as there is work; one that never ends in two thousand rows", a_day=1000))
_BLOAT = Bound("as many rows come as go: of some 3 GB written a day a tenth would be left behind", a_day=300)
_DEAD = Bound("autovacuum keeps up: ten times as many in a day it does not", share_a_day=10.0)

KINDS: Mapping[str, Kind] = {
    **{
        f"{part} {name}": kind
        for part in ("listener", "worker", "webhook")
        for name, kind in (("memory", _MEMORY), ("handles", _HANDLES), ("threads", _THREADS))
    },
    "listener tasks": _TASKS,
    "worker tasks": _TASKS,
    "open workflows": Kind("", Bound("each ends: one in ten thousand that does not would be 60 a day", a_day=500)),
    "longest history": Kind(
        "events", Bound("Temporal suggests a new run at 4,096, and a pass may be under way", at_most=4300)
    ),
    "largest history": Kind("MB", Bound("Temporal suggests a new run at 4 MB, and warns at 10", at_most=5)),
    "tables": Kind("MB", _BLOAT),
    "indexes": Kind("MB", _BLOAT),
    "dead rows": Kind("", _DEAD),
    "connections": Kind("", Bound("a small project has 60 of them", a_day=100)),
    "WAL held by slots": Kind(
        "MB", Bound("a slot that nobody reads holds all of it: several GB a day here", a_day=512)
    ),
    "WAL on disk": Kind("MB", Bound("max_wal_size, 128 MB here, may be passed by half for a moment", at_most=192)),
    "Temporal's file for each workflow": Kind(
        "kB", Bound("each leaves what each leaves, until retention", share_a_day=1.0)
    ),
    "Temporal's journal": Kind("MB", Bound("SQLite takes it in at 4 MB; a reader may hold that up", at_most=64)),
}


def find(samples: Mapping[str, Sequence[Point]], *, warm_up_seconds: float) -> list[Finding]:
    """Of each series, as they are in KINDS; seconds count from the run's beginning.

    Raises:
        ValueError: a series has too few points after the warm-up.
    """
    return [_find(name, kind, [it for it in samples[name] if it[0] >= warm_up_seconds]) for name, kind in KINDS.items()]


def _find(name: str, kind: Kind, points: Sequence[Point]) -> Finding:
    values = [value for _, value in points]
    try:
        found = slope(points)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    low, estimate, high = (each * SECONDS_A_DAY for each in (found.low, found.estimate, found.high))
    bound = kind.bound
    if bound.at_most is not None:
        allowed = bound.at_most
        verdict = Verdict.ABOVE if max(values) > allowed else Verdict.FLAT
    else:
        allowed = bound.a_day if bound.a_day is not None else (bound.share_a_day or 0.0) * median(values)
        verdict = Verdict.GROWS if low > allowed else Verdict.FLAT if high <= allowed else Verdict.UNSURE
    return Finding(
        name, kind.unit, verdict, values[0], values[-1], max(values), estimate, low, high, allowed, bound.reason
    )
