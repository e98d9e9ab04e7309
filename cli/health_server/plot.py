"""Lines over time, as the points of an SVG polyline."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.health_server.history import Sample

WIDTH = 600
HEIGHT = 140
SPAN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Line:
    """One measure. `segments` are polylines: a sample without a value ends one. `latest` is the newest value."""

    name: str
    segments: tuple[str, ...]
    latest: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines with one scale, from zero to `top`."""

    title: str
    unit: str
    top: float
    lines: tuple[Line, ...]


def plot(
    title: str,
    unit: str,
    samples: Sequence[Sample],
    measures: Sequence[tuple[str, Callable[[Sample], float | None]]],
    *,
    now: datetime,
    at_least: float,
) -> Plot:
    """The samples of the last `SPAN`, newest at the right edge; the scale reaches `at_least` that high."""
    shown = [sample for sample in samples if now - sample.at <= SPAN]
    values = [value for sample in shown for _, read in measures if (value := read(sample)) is not None]
    top = _round_up(max([at_least, *values]))
    lines = tuple(
        Line(name, tuple(_segments(shown, read, now, top)), read(shown[-1]) if shown else None)
        for name, read in measures
    )
    return Plot(title, unit, top, lines)


def _segments(
    samples: Sequence[Sample], read: Callable[[Sample], float | None], now: datetime, top: float
) -> list[str]:
    segments: list[list[str]] = [[]]
    for sample in samples:
        value = read(sample)
        if value is None:
            segments.append([])
            continue
        x = WIDTH * (1 - (now - sample.at) / SPAN)
        segments[-1].append(f"{x:.1f},{HEIGHT * (1 - value / top):.1f}")
    # A lone sample is no line; drawn back onto itself it is a dot, for the line's round ends.
    return [" ".join(points if len(points) > 1 else points * 2) for points in segments if points]


def _round_up(value: float) -> float:
    """To the next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)
