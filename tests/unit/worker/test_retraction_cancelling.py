from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.ports import CancelFailed, RetractedNotification, TriggerFault
from shared.temporal.messages import NotificationRetractionInput, NotificationRetractionResult
from worker.activities.retraction_cancelling import RetractionCancelling


class FakeStore:
    def __init__(self, *retracted: RetractedNotification) -> None:
        self._retracted = retracted
        self.cancellations: dict[int, Mapping[str, Any]] = {}

    async def retractions_to_cancel(
        self, enterprise_id: str, notification_ids: Sequence[int]
    ) -> list[RetractedNotification]:
        return [row for row in self._retracted if row.id in notification_ids and row.id not in self.cancellations]

    async def record_cancellations(self, enterprise_id: str, cancellations: Mapping[int, Mapping[str, Any]]) -> Any:
        self.cancellations |= cancellations
        return frozenset(cancellations)


class FakeNovu:
    """Cancels what it knows; fails for what it was told to."""

    def __init__(self, *known: str, failing: str | None = None) -> None:
        self._known = set(known)
        self._failing = failing
        self.asked: list[str] = []

    async def cancel(self, transaction_id: str) -> bool:
        self.asked.append(transaction_id)
        if transaction_id == self._failing:
            raise CancelFailed(TriggerFault("503", retry_after_seconds=9))
        return transaction_id in self._known


def retracted(notification_id: int, recipients: int = 1, **fields: Any) -> RetractedNotification:
    return RetractedNotification(notification_id, f"xnovu.{notification_id}", recipients, **fields)


async def cancel(store: FakeStore, novu: FakeNovu, *ids: int) -> NotificationRetractionResult:
    subject = RetractionCancelling(store, lambda _: novu)
    result: NotificationRetractionResult = await ActivityEnvironment().run(
        subject.cancel_retracted, NotificationRetractionInput("ent1", list(ids))
    )
    return result


async def test_novu_s_answer_is_stored_on_the_row() -> None:
    store = FakeStore(retracted(1), retracted(2))

    result = await cancel(store, FakeNovu("xnovu.1"), 1, 2)

    assert result == NotificationRetractionResult(cancelled=1, too_late=1)
    assert store.cancellations[1] == {
        "cancelled": True,
        "events": 1,
        "events_cancelled": 1,
        "may_be_sent_yet": False,
        "settled": True,
    }
    assert store.cancellations[2]["cancelled"] is False
    assert store.cancellations[2]["may_be_sent_yet"] is True


async def test_every_chunk_is_cancelled() -> None:
    novu = FakeNovu("xnovu.1", "xnovu.1.1")
    store = FakeStore(retracted(1, recipients=201))

    await cancel(store, novu, 1)

    assert novu.asked == ["xnovu.1", "xnovu.1.1", "xnovu.1.2"]
    assert store.cancellations[1] == {
        "cancelled": False,
        "events": 3,
        "events_cancelled": 2,
        "may_be_sent_yet": True,
        "settled": True,
    }


async def test_every_try_is_cancelled_and_only_the_latest_may_be_sent_yet() -> None:
    novu = FakeNovu("xnovu.1.0.2", "xnovu.1.1.2")
    store = FakeStore(retracted(1, second_tries=(1, 2)))

    await cancel(store, novu, 1)

    assert novu.asked == ["xnovu.1", "xnovu.1.0.1", "xnovu.1.0.2", "xnovu.1.1.2"]
    assert store.cancellations[1] == {
        "cancelled": False,
        "events": 4,
        "events_cancelled": 2,
        "may_be_sent_yet": False,
        "settled": True,
    }


async def test_a_row_whose_delivery_is_unknown_says_so() -> None:
    store = FakeStore(retracted(1, settled=False))

    await cancel(store, FakeNovu(), 1)

    assert store.cancellations[1]["settled"] is False


async def test_a_fault_is_retried_when_novu_says_and_what_was_answered_stays() -> None:
    store = FakeStore(retracted(1), retracted(2))

    with pytest.raises(ApplicationError) as raised:
        await cancel(store, FakeNovu("xnovu.1", failing="xnovu.2"), 1, 2)

    assert raised.value.next_retry_delay is not None
    assert raised.value.next_retry_delay.total_seconds() == 9
    assert set(store.cancellations) == {1}
