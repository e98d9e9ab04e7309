"""A sleep that a signal can end: how every scheduling workflow waits without polling."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

LONGEST_SLEEP_SECONDS = 30 * 86_400.0
"""One timer's length at most; a pass a month costs nothing, and no instant is too far away."""


AFTER_A_FAILED_PASS_SECONDS = 10.0
"""Between two tries while the database or Temporal's frontend is away, however long that is."""


async def sleep_unless(woken: Callable[[], bool], seconds: float | None) -> None:
    """Sleep for `seconds`, for ever if None, or until `woken` is true."""
    if seconds is not None and seconds <= 0:
        return
    timeout = None if seconds is None else timedelta(seconds=min(seconds, LONGEST_SLEEP_SECONDS))
    with suppress(TimeoutError):
        await workflow.wait_condition(woken, timeout=timeout)
