"""Logs: one JSON object a line on standard output, as facts of the interface promise them.

Loggers are named after their component (`EnhancedSubscriptionManager`, `TemporalService`, ...); the message is the
event's name, and everything else goes in `extra={...}`. Payloads, recipients and secrets are never logged; nor is
what a foreign exception says, whoever logs it: it may quote them.
Temporal's SDK speaks in sentences: each becomes `what` of an event `temporal_sdk`, beside the workflow's id. Of an
attempt that failed by an exception of ours it has `error`, which is written to be read, and no traceback.
On a terminal the same is a line for people: time, level, component, event, fields.
A line written within a span names its trace; on Google Cloud in the fields that its log viewer joins them by, too.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar

from opentelemetry import trace
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from shared.exception_text import describe, full_text, is_ours
from shared.log_text import message_of
from shared.repeated_failures import FewOfEachKind
from shared.telemetry.google_cloud import is_on_google_cloud, project_id

_SEVERITY = {"WARNING": "warn", "CRITICAL": "error"}

_OF_EVERY_LINE = frozenset({"namespace", "task_queue"})
"""The SDK repeats them; a process has one of each."""


_LONGEST_ERROR = 300

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
        error = told.exc_info[1] if told.exc_info else None
        if error is not None and is_ours(error) and _is_of_the_sdk(told):
            told.exc_info = None
            told.error = describe(error)[:_LONGEST_ERROR]
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
        if _is_of_the_sdk(record):
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


class TerminalFormatter(Formatter):
    """The same record for somebody who watches: nothing that it quotes can command the terminal."""

    _COLOURS: ClassVar = {"warn": "\x1b[33m", "error": "\x1b[31m"}

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = self._COLOURS if colours else {}

    def serialize_log_record(self, log_data: dict[str, Any]) -> str:
        """The library's hook; takes the record's fields as they would be written as JSON."""
        instant, level, component, event, *traces = (
            str(log_data.pop(name, ""))
            for name in ("timestamp", "level", "component", "event", "exc_info", "stack_info")
        )
        time_of_day = instant.partition("T")[2].partition("+")[0]
        fields = "".join(f" {name}={self._shown(value)}" for name, value in log_data.items())
        head = f"{time_of_day} {level:<5} {component}: {_one_line(event)}{fields}"
        told = "\n".join([head, *(f"    {_one_line(line)}" for trace in traces for line in trace.splitlines())])
        colour = self._colours.get(level)
        return f"{colour}{told}\x1b[0m" if colour else told

    def _shown(self, value: Any) -> str:
        if isinstance(value, str) and value.isascii() and value.isprintable() and value and not set(value) & {" ", '"'}:
            return value
        return json.dumps(value, cls=_Encoder)


def _one_line(text: str) -> str:
    """With every character that is not plain ASCII text as JSON writes it."""
    return json.dumps(text)[1:-1].replace('\\"', '"')


def _is_of_the_sdk(record: logging.LogRecord) -> bool:
    return record.name.startswith("temporalio.")


def _of_the_sdk(log_data: dict[str, Any]) -> dict[str, Any]:
    """Takes the SDK's nested account of an activity or workflow out of the line; returns what goes there instead."""
    accounts = [log_data.pop(name, {}) for name in ("temporal_activity", "temporal_workflow")]
    fields = {name: value for account in accounts for name, value in account.items() if name not in _OF_EVERY_LINE}
    return {"what": log_data["event"], "event": "temporal_sdk", **fields}


def configure(level: str) -> None:
    """Send every log record of at least `level` (debug, info, warn, error) to standard output: as JSON, or as lines for
    people if that is a terminal. NO_COLOR has them without colours.
    """
    logging.root.setLevel("WARNING" if level == "warn" else level.upper())
    write_to(logging.StreamHandler(sys.stdout))
    logging.raiseExceptions = False  # a line that cannot be written would be quoted on standard error
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    sys.unraisablehook = lambda uncaught: _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
    for chatty in ("httpx", "httpcore", "websockets", "realtime", "hpack", "temporalio.worker"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def write_to(handler: logging.Handler) -> None:
    """From now on all lines go there, and nowhere else."""
    on_a_terminal = sys.stdout.isatty()
    handler.setFormatter(TerminalFormatter(colours="NO_COLOR" not in os.environ) if on_a_terminal else Formatter())
    handler.addFilter(FewOfEachKind(handler.handle))
    logging.basicConfig(handlers=[handler], force=True)


def sum_up_failures() -> None:
    """Before the last line of a process."""
    for handler in logging.root.handlers:
        for each in handler.filters:
            if isinstance(each, FewOfEachKind):
                each.sum_up()


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """In place of the interpreter's own words on standard error, which hold the exception's."""
    log.error("uncaught_exception", exc_info=(kind, error, trace) if error is not None else None)
