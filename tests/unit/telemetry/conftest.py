"""An SDK that keeps what it is given in memory. OpenTelemetry allows one for a process, so it is made once."""

from collections.abc import Iterator, Mapping
from functools import cache

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricsData,
    NumberDataPoint,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import providers

Point = NumberDataPoint | HistogramDataPoint


class Recorded:
    """Spans and metrics of the tests; metrics since the test began, because the SDK adds them up."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = providers.discreet_tracer_provider(Resource({}), self.exporter)
        self.reader = InMemoryMetricReader()
        self._before: dict[tuple[str, frozenset[tuple[str, object]]], float] = {}

    def begin(self) -> None:
        self.tracers.force_flush()
        self.exporter.clear()
        self._before = {(name, key): _number(point) for name, key, point in self._points()}

    def spans(self) -> dict[str, ReadableSpan]:
        """By name."""
        self.tracers.force_flush()
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def value(self, name: str, attributes: Mapping[str, object] | None = None) -> float | None:
        """What was added since the test began: of a histogram, the number of values; None for nothing."""
        key = frozenset((attributes or {}).items())
        for found, found_key, point in self._points():
            if found == name and found_key == key:
                return _number(point) - self._before.get((name, key), 0)
        return None

    def latest(self, name: str) -> dict[frozenset[tuple[str, object]], float]:
        """What an instrument shows now, by attributes."""
        return {key: _number(point) for found, key, point in self._points() if found == name}

    def _points(self) -> Iterator[tuple[str, frozenset[tuple[str, object]], Point]]:
        data: MetricsData | None = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        assert isinstance(point, NumberDataPoint | HistogramDataPoint)
                        yield metric.name, frozenset((point.attributes or {}).items()), point


def _number(point: Point) -> float:
    return point.count if isinstance(point, HistogramDataPoint) else point.value


@cache
def install() -> Recorded:
    """The one of this process, for every test that asks, wherever it is."""
    recorded = Recorded()
    trace.set_tracer_provider(recorded.tracers)
    metrics.set_meter_provider(providers.meter_provider(Resource({}), [recorded.reader]))
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    return recorded


@pytest.fixture
def recorded() -> Recorded:
    installed = install()
    installed.begin()
    return installed
