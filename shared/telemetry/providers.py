"""Builds the SDK's providers. The one place that imports the SDK; imported only when something is wanted."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Status
from requests import Session

from shared.telemetry import google_cloud
from shared.telemetry.metric import SECONDS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_OF_TEMPORAL_IN_SECONDS = View(
    instrument_name="temporal_*latency*", aggregation=ExplicitBucketHistogramAggregation(SECONDS)
)


_NAMES_ITS_TYPE = re.compile(r"([A-Za-z_.]{1,80}(?:Error|Exception|Group|Timeout|Cancelled)): ")
"""How the SDK writes an exception into a span's status; anything else there may be a value."""


class DiscreetSpanProcessor(BatchSpanProcessor):
    """Sends spans in batches; of a failed one, the type of its error and not the text, which may quote anything."""

    def on_end(self, span: ReadableSpan) -> None:
        if span.status.description:
            span = _without_error_text(span)
        super().on_end(span)


def resource(service: str) -> Resource:
    """Who we are; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    ours = {"service.name": service, "service.namespace": "xnovu", "service.version": version("xnovu")}
    given = OTELResourceDetector().detect().attributes
    return Resource.create({**ours, **google_cloud.resource_attributes(), **given})


def tracer_provider(about: Resource, session: Session | None) -> TracerProvider:
    """Sends spans by OTLP; sampled as OTEL_TRACES_SAMPLER says."""
    endpoint = f"{google_cloud.OTLP_ENDPOINT}/v1/traces" if session else None
    return discreet_tracer_provider(about, OTLPSpanExporter(endpoint=endpoint, session=session))


def discreet_tracer_provider(about: Resource, exporter: SpanExporter) -> TracerProvider:
    """Spans without events: the SDK's exception events hold messages and tracebacks."""
    provider = TracerProvider(resource=about, span_limits=SpanLimits(max_events=0), shutdown_on_exit=False)
    provider.add_span_processor(DiscreetSpanProcessor(exporter))
    return provider


def silent_tracer_provider(about: Resource) -> TracerProvider:
    """Spans that nobody keeps. What travels along a trace needs them: by it a worker knows when a row was committed."""
    return TracerProvider(resource=about, sampler=ALWAYS_OFF, shutdown_on_exit=False)


def meter_provider(about: Resource, readers: Sequence[MetricReader]) -> MeterProvider:
    """Gives what is measured to the readers."""
    return MeterProvider(
        resource=about, metric_readers=readers, views=[_OF_TEMPORAL_IN_SECONDS], shutdown_on_exit=False
    )


def sending_reader(session: Session | None) -> MetricReader:
    """Sends what is measured by OTLP, every OTEL_METRIC_EXPORT_INTERVAL."""
    endpoint = f"{google_cloud.OTLP_ENDPOINT}/v1/metrics" if session else None
    return PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, session=session))


def prometheus_reader() -> "tuple[MetricReader, CollectorRegistry]":
    """Waits to be asked through the registry."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    return PrometheusMetricReader(scope_info_enabled=False, registry=registry), registry


def _without_error_text(span: ReadableSpan) -> ReadableSpan:
    named = _NAMES_ITS_TYPE.match(span.status.description or "")
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, named[1] if named else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
