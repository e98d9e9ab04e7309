"""What the standard OTEL_* variables, and the place where we run, ask for. Pure; the exporters read the rest of them
(headers, time-outs, certificates, intervals, the sampler) by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_ON_CLOUD_RUN = ("K_SERVICE", "CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_JOB")
_EXPORTERS = {"TRACES": ("otlp", "none"), "METRICS": ("otlp", "prometheus", "none")}
_PROTOCOL = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Signals to send by OTLP; whether to Google Cloud, as its machine; whether metrics are read from us instead."""

    traces: bool = False
    metrics: bool = False
    prometheus: bool = False
    google_cloud: bool = False

    @property
    def anything(self) -> bool:
        """Whether the SDK is needed at all."""
        return self.traces or self.metrics or self.prometheus


def is_on_cloud_run(environment: Mapping[str, str]) -> bool:
    """Whether this process is a Cloud Run service, job or worker pool."""
    return any(environment.get(name) for name in _ON_CLOUD_RUN)


def read_wanted(environment: Mapping[str, str], *, prometheus: bool = False) -> Wanted:
    """What is asked for: an endpoint or an exporter's name in OTEL_*, or Cloud Run unless they say otherwise.

    `prometheus`: this process answers Prometheus whatever they say, short of OTEL_SDK_DISABLED.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Wanted()
    endpoint_named = any(_endpoint(environment, signal) for signal in _EXPORTERS)
    return Wanted(
        traces=_is_sent(environment, "TRACES"),
        metrics=_is_sent(environment, "METRICS"),
        prometheus=prometheus or "prometheus" in _exporters(environment, "METRICS"),
        google_cloud=is_on_cloud_run(environment) and not endpoint_named,
    )


def find_problems(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with the variables, a line each; values are not quoted, an endpoint may hold a password."""
    problems = []
    for signal, known in _EXPORTERS.items():
        if not set(_exporters(environment, signal)) <= set(known):
            problems.append(f"OTEL_{signal}_EXPORTER: must be {' or '.join(known)}")
    for name in ("OTEL_EXPORTER_OTLP", *(f"OTEL_EXPORTER_OTLP_{signal}" for signal in _EXPORTERS)):
        if environment.get(f"{name}_PROTOCOL", _PROTOCOL) != _PROTOCOL:
            problems.append(f"{name}_PROTOCOL: must be {_PROTOCOL}, the one protocol spoken here")
        endpoint = environment.get(f"{name}_ENDPOINT")
        if endpoint and not _is_http_url(endpoint):
            problems.append(f"{name}_ENDPOINT: must be a URL that begins with http:// or https://")
    return tuple(problems)


def _is_sent(environment: Mapping[str, str], signal: str) -> bool:
    exporters = _exporters(environment, signal)
    if exporters:
        return "otlp" in exporters
    return bool(_endpoint(environment, signal)) or is_on_cloud_run(environment)


def _exporters(environment: Mapping[str, str], signal: str) -> list[str]:
    names = environment.get(f"OTEL_{signal}_EXPORTER", "").split(",")
    return [name.strip() for name in names if name.strip()]


def _endpoint(environment: Mapping[str, str], signal: str) -> str | None:
    return environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
