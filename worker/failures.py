"""The cause of a failure, not its wrapper."""

from temporalio.exceptions import ActivityError, ChildWorkflowError

MAX_LENGTH = 300


def describe_failure(error: BaseException) -> str:
    """The innermost cause's type and message, at most 300 characters."""
    while isinstance(error, ActivityError | ChildWorkflowError) and error.__cause__ is not None:
        error = error.__cause__
    kind = getattr(error, "type", None) or type(error).__name__
    return f"{kind}: {getattr(error, 'message', None) or error}"[:MAX_LENGTH]
