"""The SDK's life in this process: set up once, flushed at the end."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from shared.telemetry import sdk_logs
from shared.telemetry.google_cloud import GoogleCloudUnavailable, open_session
from shared.telemetry.process_metrics import observe_process
from shared.telemetry.wanted import Wanted, read_wanted

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from prometheus_client import CollectorRegistry
    from requests import Session

log = logging.getLogger("Telemetry")

FLUSH_SECONDS = 1.0
"""With a worker's shutdown this stays below the ten seconds that Cloud Run gives (docs/image.md adds them up)."""


@dataclass(frozen=True, slots=True)
class _Running:
    """What was set up."""

    tracers: "TracerProvider | None"
    meters: "MeterProvider | None"
    registry: "CollectorRegistry | None"


_running: _Running | None = None


def start(service: str, *, prometheus: bool = False) -> None:
    """Set the SDK up as OTEL_* ask for; a second start in a process changes nothing.

    `service` is the process's name unless OTEL_SERVICE_NAME gives another. `prometheus`: somebody will ask for
    `prometheus_text`. Delivery does not depend on telemetry: if Google Cloud does not let us send, that is logged.
    """
    global _running
    wanted = read_wanted(os.environ, prometheus=prometheus)
    if _running or not wanted.anything:
        return
    sdk_logs.route()
    session = None
    if wanted.google_cloud and (wanted.traces or wanted.metrics):
        try:
            session = open_session()
        except GoogleCloudUnavailable as error:
            log.error("telemetry_unavailable", extra={"reason": str(error)})
            wanted = replace(wanted, traces=False, metrics=False)
    _running = _set_up(service, wanted, session)
    observe_process()
    log.info(
        "telemetry_started",
        extra={"traces": wanted.traces, "metrics": wanted.metrics, "google_cloud": session is not None},
    )


def _set_up(service: str, wanted: Wanted, session: "Session | None") -> _Running:
    from shared.telemetry import providers  # nothing wanted, nothing loaded

    about = providers.resource(service)
    tracers = meters = registry = None
    readers = [providers.sending_reader(session)] if wanted.metrics else []
    if wanted.prometheus:
        reader, registry = providers.prometheus_reader()
        readers.append(reader)
    if wanted.traces:
        tracers = providers.tracer_provider(about, session)
    elif readers:
        tracers = providers.silent_tracer_provider(about)
    if tracers:
        trace.set_tracer_provider(tracers)
    if readers:
        meters = providers.meter_provider(about, readers)
        metrics.set_meter_provider(meters)
    return _Running(tracers, meters, registry)


def measures() -> bool:
    """Whether anybody will see what is measured: work that is only done to be measured can be left out otherwise."""
    return _running is not None and _running.meters is not None


def is_on() -> bool:
    """Whether spans or metrics go anywhere."""
    return _running is not None


def prometheus_text() -> bytes:
    """All metrics in Prometheus's text format; nothing if metrics are not read from this process."""
    if _running is None or _running.registry is None:
        return b""
    from prometheus_client import generate_latest

    return generate_latest(_running.registry)


def flush(within_seconds: float = FLUSH_SECONDS) -> None:
    """Send what is held now, in bounded time: for a process that is given no time between calls."""
    if _running is not None:
        _all_at_once([provider.force_flush for provider in _providers(_running)], within_seconds)


def stop(within_seconds: float = FLUSH_SECONDS) -> None:
    """Send what is held and end, in bounded time whatever the receiver does; the process is about to exit."""
    if _running is not None:
        _all_at_once([provider.shutdown for provider in _providers(_running)], within_seconds)


def _providers(running: _Running) -> "list[TracerProvider | MeterProvider]":
    return [provider for provider in (running.tracers, running.meters) if provider is not None]


def _all_at_once(calls: Sequence[Callable[[], object]], within_seconds: float) -> None:
    """Make the calls, and wait for them no longer than this together."""
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + within_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
