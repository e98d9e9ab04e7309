"""What a delivery makes of an exception that nobody foresaw: a defect, ours or a library's, that may be of one row."""

from collections.abc import Mapping

from temporalio.exceptions import ApplicationError

from shared.exception_text import place
from shared.notification.outcomes import Refusal, RefusalCode

MOST_FAULTS = 8
"""Of one row in a row: with the pauses between attempts two minutes, in which what is not of the row may pass."""


def internal_fault(errors: Mapping[int, Exception]) -> ApplicationError:
    """To be raised from the activity for another attempt: ids and places, never what the exceptions say."""
    told = "; ".join(f"{notification_id}: {_told(error)}" for notification_id, error in list(errors.items())[:3])
    return ApplicationError(f"{len(errors)} deliveries met what nobody foresaw: {told}", type="InternalFault")


def refusal_of(error: Exception) -> Refusal:
    """Why the row is FAILED, once there have been enough attempts."""
    return Refusal(
        RefusalCode.INTERNAL_ERROR,
        f"the delivery met what nobody foresaw, {MOST_FAULTS} times: {_told(error)}",
        {"error": type(error).__name__},
    )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}{place(error.__traceback__)}"
