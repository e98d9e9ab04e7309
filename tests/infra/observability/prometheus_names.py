"""How Prometheus's text format names our metrics, asked of the exporter that writes it, not of a copy of its rules."""

from collections.abc import Iterable, Mapping

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry

from shared.telemetry.metric import Kind, Metric
from shared.telemetry.providers import prometheus_reader


def prometheus_names(metrics: Iterable[Metric]) -> Mapping[str, str]:
    """Each series' name by its name in OpenTelemetry: `xnovu.backlog.age` is `xnovu_backlog_age_seconds` there."""
    return {of_ours: of_theirs for metric in metrics for of_ours, of_theirs in _names(metric).items()}


def _names(metric: Metric) -> dict[str, str]:
    [family] = (found for found in _written(metric).collect() if found.name != "target")
    names = {sample.name for sample in family.samples} - {f"{family.name}_created"}
    if metric.kind is not Kind.HISTOGRAM:
        [name] = names
        return {metric.name: name}
    return {metric.name + name.removeprefix(family.name): name for name in names}


def _written(metric: Metric) -> CollectorRegistry:
    reader, registry = prometheus_reader()
    provider = MeterProvider([reader], views=[_a_single_bucket(metric)] if metric.kind is Kind.HISTOGRAM else [])
    meter = provider.get_meter("names")
    attributes = dict.fromkeys(metric.attributes, "any")
    if metric.kind is Kind.COUNTER:
        meter.create_counter(metric.name, metric.unit).add(1, attributes)
    elif metric.kind is Kind.GAUGE:
        meter.create_gauge(metric.name, metric.unit).set(1, attributes)
    else:
        meter.create_histogram(metric.name, metric.unit).record(1, attributes)
    return registry


def _a_single_bucket(metric: Metric) -> View:
    return View(instrument_name=metric.name, aggregation=ExplicitBucketHistogramAggregation((1.0,)))
