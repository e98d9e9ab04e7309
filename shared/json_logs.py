"""Logs: one JSON object a line on standard output, as facts of the interface promise them.

Loggers are named after their component (`EnhancedSubscriptionManager`, `TemporalService`, ...); the message is the
event's name, and everything else goes in `extra={...}`. Payloads, recipients and secrets are never logged.
Temporal's SDK speaks in sentences: each becomes `what` of an event `temporal_sdk`, beside the workflow's id.
A line written within a span names its trace; on Google Cloud in the fields that its log viewer joins them by, too.
"""

import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter

from shared.telemetry.google_cloud import is_on_google_cloud, project_id

_SEVERITY = {"WARNING": "warn", "CRITICAL": "error"}

_OF_EVERY_LINE = frozenset({"namespace", "task_queue"})
"""The SDK repeats them; a process has one of each."""


class Formatter(JsonFormatter):
    """A record as one line."""

    def __init__(self) -> None:
        super().__init__()
        self._on_google_cloud = is_on_google_cloud()
        self._project = project_id()

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["level"] = _SEVERITY.get(record.levelname, record.levelname.lower())
        log_data["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["component"] = record.name
        log_data["event"] = record.getMessage()
        super().add_fields(log_data, record, message_dict)
        log_data.pop("message", None)
        if record.name.startswith("temporalio."):
            log_data.update(_of_the_sdk(log_data))
        if self._on_google_cloud:
            log_data["severity"] = record.levelname
        log_data.update(self._trace())

    def _trace(self) -> Iterator[tuple[str, Any]]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return
        trace_id = trace.format_trace_id(context.trace_id)
        span_id = trace.format_span_id(context.span_id)
        yield "trace_id", trace_id
        yield "span_id", span_id
        if self._project:
            yield "logging.googleapis.com/trace", f"projects/{self._project}/traces/{trace_id}"
            yield "logging.googleapis.com/spanId", span_id
            yield "logging.googleapis.com/trace_sampled", context.trace_flags.sampled


def _of_the_sdk(log_data: dict[str, Any]) -> dict[str, Any]:
    """Takes the SDK's nested account of an activity or workflow out of the line; returns what goes there instead."""
    accounts = [log_data.pop(name, {}) for name in ("temporal_activity", "temporal_workflow")]
    fields = {name: value for account in accounts for name, value in account.items() if name not in _OF_EVERY_LINE}
    return {"what": log_data["event"], "event": "temporal_sdk", **fields}


def configure(level: str) -> None:
    """Send every log record of at least `level` (debug, info, warn, error) to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Formatter())
    logging.basicConfig(level="WARNING" if level == "warn" else level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "websockets", "realtime", "hpack", "temporalio.worker"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
