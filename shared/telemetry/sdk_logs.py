"""What the SDK and the libraries it sends with have to say: their sentences become lines of ours, `telemetry_sdk`."""

import logging

log = logging.getLogger("Telemetry")

_LONGEST = 300
_SPEAKERS = ("opentelemetry", "google.auth", "urllib3")


class _Rewritten(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        what = record.getMessage()[:_LONGEST]
        log.log(record.levelno, "telemetry_sdk", extra={"target": record.name, "what": what})


def route() -> None:
    """From now on."""
    for name in _SPEAKERS:
        speaker = logging.getLogger(name)
        speaker.handlers = [_Rewritten()]
        speaker.propagate = False
        speaker.setLevel(logging.WARNING)
