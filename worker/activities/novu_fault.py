"""A fault of Novu's as Temporal should retry it."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from shared.ports import TriggerFault


def novu_fault(fault: TriggerFault | None) -> ApplicationError:
    """The error to raise from an activity; its next attempt waits as long as Novu asked for, if it did."""
    delay = fault.retry_after_seconds if fault else None
    return ApplicationError(
        f"Novu: {fault.reason if fault else 'no answer'}",
        type="NovuFault",
        next_retry_delay=timedelta(seconds=delay) if delay else None,
    )
