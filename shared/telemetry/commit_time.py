"""When a row was committed, carried along its trace as baggage: only so can a worker tell how long all of it took."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from opentelemetry import baggage, context

_KEY = "xnovu.committed_at"


@contextmanager
def carrying(committed_at: datetime | None) -> Iterator[None]:
    """What is started within the block knows this instant; None carries nothing."""
    if committed_at is None:
        yield
        return
    token = context.attach(baggage.set_baggage(_KEY, str(committed_at.timestamp())))
    try:
        yield
    finally:
        context.detach(token)


def seconds_since_commit() -> float | None:
    """How long ago the earliest row of this work was committed; None if nobody said.

    Two machines' clocks are compared, so it is never below zero, nor better than they agree.
    """
    value = baggage.get_baggage(_KEY)
    try:
        committed_at = float(str(value))
    except ValueError:
        return None
    return max(0.0, datetime.now(UTC).timestamp() - committed_at)
