"""The native part of Temporal's SDK, made to log through ours: left alone, it writes coloured text to our output."""

import logging
from functools import cache

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

_LOGGER = logging.getLogger("TemporalService.sdk")
_LONGEST_REASON = 300


@cache
def runtime() -> Runtime:
    """The one runtime of this process. Its warnings and errors become lines of the event `temporal_sdk`."""
    _LOGGER.addFilter(_name_the_event)
    forwarding = LogForwardingConfig(
        _LOGGER,
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    logging_config = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=logging_config))


def _name_the_event(record: logging.LogRecord) -> bool:
    native = record.__dict__.pop("temporal_log")
    record.__dict__["target"] = native.target
    record.__dict__["what"] = record.getMessage()
    record.__dict__["reason"] = str(native.fields.get("error", ""))[:_LONGEST_REASON]
    record.msg = "temporal_sdk"
    return True
