"""One fault to raise for deliveries that were made side by side, of which several met one of their own."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from shared.exception_text import describe, is_ours
from worker.activity_options import default_pause
from worker.failures import is_put_off


def fault_of_all(faults: Mapping[str, Exception], *, attempt: int) -> Exception:
    """The next attempt comes as soon as any of them asks for it. Of faults, by enterprise, that is told which is no
    putting off; who is put off is in its details (see `put_off_among`).
    """
    if len(faults) == 1:
        [fault] = faults.values()
        return fault
    put_off = [enterprise_id for enterprise_id, fault in faults.items() if is_put_off(fault)]
    told = [fault for enterprise_id, fault in faults.items() if enterprise_id not in put_off] or list(faults.values())
    cause = min(told, key=lambda fault: _pause(fault, attempt))
    return ApplicationError(
        _text(cause),
        *put_off,
        type=getattr(cause, "type", None) or type(cause).__name__,
        next_retry_delay=min(_pause(fault, attempt) for fault in faults.values()),
    )


def _pause(fault: Exception, attempt: int) -> timedelta:
    asked = fault.next_retry_delay if isinstance(fault, ApplicationError) else None
    return asked or default_pause(attempt)


def _text(fault: Exception) -> str:
    """Foreign exceptions' texts stay where they are: who raised them was free to quote a row."""
    if isinstance(fault, ApplicationError):
        return fault.message
    return str(fault) if is_ours(fault) else describe(fault)
