"""Logs: one JSON object a line on standard output, as facts of the interface promise them.

Loggers are named after their component (`EnhancedSubscriptionManager`, `TemporalService`, ...); the message is the
event's name, and everything else goes in `extra={...}`. Payloads, recipients and secrets are never logged.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_SEVERITY = {"WARNING": "warn", "CRITICAL": "error"}


class _Formatter(JsonFormatter):
    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["level"] = _SEVERITY.get(record.levelname, record.levelname.lower())
        log_data["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["component"] = record.name
        log_data["event"] = record.getMessage()
        super().add_fields(log_data, record, message_dict)
        log_data.pop("message", None)


def configure(level: str) -> None:
    """Send every log record of at least `level` (debug, info, warn, error) to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level="WARNING" if level == "warn" else level.upper(), handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "websockets", "realtime", "hpack", "temporalio.worker"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
