"""A fault of Novu's as Temporal should retry it."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from shared.ports import FaultCode, TriggerFault
from worker.failures import ENTERPRISE_RATE, NOVU_KEY_MISSING, NOVU_PAYMENT_REQUIRED, NOVU_RATE

_TYPES = {
    FaultCode.NOVU_RATE: NOVU_RATE,
    FaultCode.ENTERPRISE_RATE: ENTERPRISE_RATE,
    FaultCode.NOVU_PAYMENT_REQUIRED: NOVU_PAYMENT_REQUIRED,
    FaultCode.NOVU_KEY_MISSING: NOVU_KEY_MISSING,
}


def novu_fault(fault: TriggerFault | None) -> ApplicationError:
    """The error to raise from an activity; its next attempt waits as long as Novu asked for, if it did."""
    delay = fault.retry_after_seconds if fault else None
    return ApplicationError(
        f"Novu: {fault.reason if fault else 'no answer'}",
        type=_TYPES.get(fault.code, "NovuFault") if fault else "NovuFault",
        next_retry_delay=timedelta(seconds=delay) if delay else None,
    )
