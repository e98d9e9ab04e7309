"""The native part of Temporal's SDK, made to log through ours: left alone, it writes coloured text to our output."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from temporalio import activity, workflow
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from shared import telemetry
from shared.temporal.sdk_metrics import Drain, new_buffer

_LOGGER = logging.getLogger("TemporalService.sdk")
_LONGEST_REASON = 300


@cache
def runtime() -> Runtime:
    """The one runtime of this process. Its warnings and errors become lines of the event `temporal_sdk`."""
    activity.logger.activity_info_on_message = False  # the line has fields for it
    workflow.logger.workflow_info_on_message = False
    _LOGGER.addFilter(_name_the_event)
    forwarding = LogForwardingConfig(
        _LOGGER,
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    logging_config = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(
        telemetry=TelemetryConfig(logging=logging_config, metrics=_metric_buffer(), attach_service_name=False)
    )


@asynccontextmanager
async def measured() -> AsyncIterator[None]:
    """While the block runs, the native part's metrics go the way of ours; nothing is done where nobody reads them.

    Set telemetry up before: a runtime made without a buffer keeps none.
    """
    buffer = _metric_buffer()
    if buffer is None:
        yield
        return
    runtime()
    async with Drain(buffer).running():
        yield


@cache
def _metric_buffer() -> MetricBuffer | None:
    return new_buffer() if telemetry.measures() else None


def _name_the_event(record: logging.LogRecord) -> bool:
    native = record.__dict__.pop("temporal_log")
    record.__dict__["target"] = native.target
    record.__dict__["what"] = record.getMessage()
    record.__dict__["reason"] = str(native.fields.get("error", ""))[:_LONGEST_REASON]
    record.msg = "temporal_sdk"
    return True
