"""OpenTelemetry for every process of ours: traces from a row's commit to Novu's answer, and metrics for alerts.

`start` sets the SDK up once for the process, from the standard OTEL_* variables; where they ask for nothing, nothing
is installed and every call below is the API's no-op. docs/metrics.md says what is measured.
"""

from shared.telemetry.lifecycle import flush, is_on, measures, prometheus_text, start, stop
from shared.telemetry.tracing import span

__all__ = ["flush", "is_on", "measures", "prometheus_text", "span", "start", "stop"]
