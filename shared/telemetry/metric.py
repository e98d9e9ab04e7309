"""What we measure, declared as docs/metrics.md lists it, and the instruments that measure it.

Instruments may be made before the SDK is set up, and cost next to nothing where it is not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of the buckets of every duration."""

_meter = metrics.get_meter("xnovu")
_reads: dict[str, Callable[[], Iterable[Observation]]] = {}


class Kind(StrEnum):
    """The kinds of instruments in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name and unit by OpenTelemetry's conventions, what it means, and its attributes."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    attributes: tuple[str, ...] = ()


def counter(metric: Metric) -> Counter:
    """To be added to where it happens."""
    assert metric.kind is Kind.COUNTER
    return _meter.create_counter(metric.name, metric.unit, metric.meaning)


def duration(metric: Metric, bounds_seconds: Sequence[float] = SECONDS) -> Histogram:
    """To record seconds in."""
    assert metric.kind is Kind.HISTOGRAM
    assert metric.unit == "s"
    return _meter.create_histogram(
        metric.name, metric.unit, metric.meaning, explicit_bucket_boundaries_advisory=bounds_seconds
    )


def observe(metric: Metric, read: Callable[[], Iterable[Observation]]) -> None:
    """Have a counter or a gauge read whenever metrics are collected, from another thread: `read` must not wait.

    Of several calls for one metric the latest counts: a part that is run again reads its new objects.
    """
    is_new = metric.name not in _reads
    _reads[metric.name] = read
    if not is_new:
        return

    def observed(_: CallbackOptions) -> Iterable[Observation]:
        return _reads[metric.name]()

    create = _meter.create_observable_counter if metric.kind is Kind.COUNTER else _meter.create_observable_gauge
    create(metric.name, [observed], metric.unit, metric.meaning)


def observe_value(metric: Metric, read: Callable[[], float | None]) -> None:
    """Like `observe`, for one value without attributes; None while there is none to report."""

    def observed() -> Iterable[Observation]:
        value = read()
        return [] if value is None else [Observation(value)]

    observe(metric, observed)
