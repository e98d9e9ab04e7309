"""What OpenTelemetry's SDK has to say, as lines of the event `telemetry_sdk`: it writes sentences, we write events."""

import logging

log = logging.getLogger("Telemetry")

_LONGEST = 300


class _Rewritten(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        what = record.getMessage()[:_LONGEST]
        log.log(record.levelno, "telemetry_sdk", extra={"target": record.name, "what": what})


def route() -> None:
    """From now on, and at most once a line for each record."""
    sdk = logging.getLogger("opentelemetry")
    sdk.handlers = [_Rewritten()]
    sdk.propagate = False
    sdk.setLevel(logging.WARNING)
