"""The cause of a failure, not its wrapper."""

from collections.abc import Iterator

from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

MAX_LENGTH = 300

NOT_SERVED = "EnterpriseNotServed"
"""The failure's type where somebody asked for an enterprise that the deployment does not serve."""

NOVU_RATE = "NovuRate"
ENTERPRISE_RATE = "EnterpriseRate"
NOVU_PAYMENT_REQUIRED = "NovuPaymentRequired"
NOVU_KEY_MISSING = "NovuKeyMissing"
"""The failures' types where nothing is wrong with what is to be sent: Novu takes no more of anything, its
enterprise has sent what it may for now, or the worker lacks its key.
"""

WORKER_BUSY = "WorkerBusy"
"""The failure's type where nothing is wrong at all: a flood's deliveries come one after the other."""

_PUT_OFF = (NOVU_RATE, ENTERPRISE_RATE, NOVU_PAYMENT_REQUIRED, NOVU_KEY_MISSING, WORKER_BUSY)


def describe_failure(error: BaseException) -> str:
    """The innermost cause's type and message, at most 300 characters."""
    error = _cause(error)
    kind = getattr(error, "type", None) or type(error).__name__
    return f"{kind}: {getattr(error, 'message', None) or error}"[:MAX_LENGTH]


def is_not_served(error: BaseException) -> bool:
    """Whether it is useless to go on: this deployment does not work for the enterprise."""
    cause = _cause(error)
    return isinstance(cause, ApplicationError) and cause.type == NOT_SERVED


def is_put_off(error: BaseException) -> bool:
    """Whether it waits for nothing but its turn, or Novu's taking requests, however long that takes."""
    return any(cause.type in _PUT_OFF for cause in _application_errors(error))


def put_off_among(error: BaseException) -> frozenset[str]:
    """The enterprises that wait for nothing else, of those whose deliveries met this fault together."""
    return frozenset(detail for cause in _application_errors(error) for detail in cause.details)


def _application_errors(error: BaseException) -> Iterator[ApplicationError]:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError):
            yield cause
        cause = cause.__cause__


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, ActivityError | ChildWorkflowError) and error.__cause__ is not None:
        error = error.__cause__
    return error
