"""The metrics of Temporal's native part, passed on to OpenTelemetry, so that they go the way of our own.

Not by its own exporters: their credentials are fixed at start, and Google Cloud's last an hour. Nor by the SDK's
MetricsExporter, which is experimental and tells attribute sets apart by the address of an object it does not keep.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry import metrics
from opentelemetry.metrics import Meter
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetric,
    MetricBuffer,
    MetricBufferDurationFormat,
)

from shared.supervision import Supervisor

_BUFFER_SIZE = 20_000
"""A hundred bytes each, taken at once. A worker at its limit fills a tenth of it between two drains."""

_DRAIN_INTERVAL_SECONDS = 0.5
_UNIT_OF_DURATIONS = "s"

Record = Callable[[float, dict[str, Any]], None]


def new_buffer() -> MetricBuffer:
    """A buffer to give to a runtime; without a drain it would fill and drop."""
    return MetricBuffer(_BUFFER_SIZE, MetricBufferDurationFormat.SECONDS)


class Drain:
    """Empties the buffer of a runtime into instruments of the same names."""

    def __init__(self, buffer: MetricBuffer, meter: Meter | None = None) -> None:
        """`meter` is that of the process unless given."""
        self._buffer = buffer
        self._meter = meter or metrics.get_meter("temporalio")
        self._instruments: dict[str, Record] = {}

    def drain(self) -> None:
        """Pass on what has come since."""
        for update in self._buffer.retrieve_updates():
            record = self._instruments.get(update.metric.name)
            if record is None:
                record = self._instruments[update.metric.name] = self._instrument(update.metric)
            record(update.value, dict(update.attributes))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Drain twice a second while the block runs, and once at its end. What fails is told of, and begun again."""

        async def drain_for_ever() -> None:
            while True:
                await asyncio.sleep(_DRAIN_INTERVAL_SECONDS)
                self.drain()

        draining = Supervisor().keep("metrics of Temporal's SDK", drain_for_ever)
        task = asyncio.create_task(draining, name="metrics of Temporal's SDK")
        try:
            yield
        finally:
            task.cancel()
            self.drain()

    def _instrument(self, metric: BufferedMetric) -> Record:
        description = metric.description or ""
        unit = metric.unit or ""
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            return self._meter.create_counter(metric.name, unit, description).add
        if metric.kind == BUFFERED_METRIC_KIND_GAUGE:
            return self._meter.create_gauge(metric.name, unit, description).set
        assert metric.kind == BUFFERED_METRIC_KIND_HISTOGRAM
        unit = _UNIT_OF_DURATIONS if unit in ("duration", "ms") else unit
        return self._meter.create_histogram(metric.name, unit, description).record
