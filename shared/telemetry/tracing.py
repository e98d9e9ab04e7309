"""Spans of our own. Attributes are ids, counts and codes: never a payload, a recipient or a secret."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

ENTERPRISE_ID = "xnovu.enterprise.id"
ENTERPRISE_IDS = "xnovu.enterprise.ids"
NOTIFICATION_IDS = "xnovu.notification.ids"
NOTIFICATION_COUNT = "xnovu.notification.count"

_tracer = trace.get_tracer("xnovu")


def whose(enterprise_ids: Sequence[str]) -> dict[str, AttributeValue]:
    """The attribute that says whose rows a span is about: one enterprise's, or several's."""
    if len(enterprise_ids) == 1:
        return {ENTERPRISE_ID: enterprise_ids[0]}
    return {ENTERPRISE_IDS: list(enterprise_ids)}


@contextmanager
def span(
    name: str,
    attributes: dict[str, AttributeValue] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    started_at: datetime | None = None,
) -> Iterator[Span]:
    """A span around the block, begun at `started_at` if that is known to be earlier than now.

    Of an exception it keeps the type and not the text, which may quote anything.
    """
    start_time = int(started_at.timestamp() * 1e9) if started_at else None
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        start_time=start_time,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise
