"""The beginning of every trace: from the commit of a row to the start of its workflow."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from listener.batcher import Batch
from shared.telemetry.commit_time import carrying
from shared.telemetry.tracing import NOTIFICATION_COUNT, NOTIFICATION_IDS, span, whose

SPAN = "xnovu.hand_over"


@contextmanager
def handing_over(batch: Batch) -> Iterator[None]:
    """One span for a batch, begun when its earliest row was committed; what a sweep found begins now.

    It names the batch's rows, so that a row's trace can be looked up by its id.
    """
    attributes: dict[str, AttributeValue] = {
        **whose([portion.enterprise_id for portion in batch.portions]),
        NOTIFICATION_IDS: batch.notification_ids,
        NOTIFICATION_COUNT: len(batch.notification_ids),
        "xnovu.work": batch.work.value,
        "xnovu.found_by": "sweep" if batch.committed_at is None else "change",
    }
    with span(SPAN, attributes, kind=SpanKind.CONSUMER, started_at=batch.committed_at), carrying(batch.committed_at):
        yield
