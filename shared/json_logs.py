"""Logs: one JSON object a line on standard output, as facts of the interface promise them.

Loggers are named after their component (`EnhancedSubscriptionManager`, `TemporalService`, ...); the message is the
event's name, and everything else goes in `extra={...}`. Payloads, recipients and secrets are never logged; nor is
what a foreign exception says, whoever logs it: it may quote them.
Temporal's SDK speaks in sentences: each becomes `what` of an event `temporal_sdk`, beside the workflow's id.
A line written within a span names its trace; on Google Cloud in the fields that its log viewer joins them by, too.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from opentelemetry import trace
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from shared.exception_text import describe, full_text
from shared.log_text import message_of
from shared.telemetry.google_cloud import is_on_google_cloud, project_id

_SEVERITY = {"WARNING": "warn", "CRITICAL": "error"}

_OF_EVERY_LINE = frozenset({"namespace", "task_queue"})
"""The SDK repeats them; a process has one of each."""


log = logging.getLogger("Process")

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Encoder(JsonEncoder):
    def default(self, o: Any) -> Any:
        return describe(o) if isinstance(o, BaseException) else super().default(o)


class Formatter(JsonFormatter):
    """A record as one line."""

    def __init__(self) -> None:
        super().__init__(json_encoder=_Encoder)
        self._on_google_cloud = is_on_google_cloud()
        self._project = project_id()

    def format(self, record: logging.LogRecord) -> str:
        told = copy(record)
        told.msg, told.args = message_of(record), ()
        told.exc_text = None  # another handler may have left its own there
        return super().format(told)

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802 - the library's name
        return full_text(ei[1]) if ei[1] is not None else ""

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
    logging.raiseExceptions = False  # a line that cannot be written would be quoted on standard error
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    sys.unraisablehook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    for chatty in ("httpx", "httpcore", "websockets", "realtime", "hpack", "temporalio.worker"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """In place of the interpreter's own words on standard error, which hold the exception's."""
    log.error("uncaught_exception", exc_info=(kind, error, trace) if error is not None else None)
