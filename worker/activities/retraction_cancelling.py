"""Asks Novu to cancel what was sent before it was retracted."""

import logging
from collections.abc import Callable

from temporalio import activity

from shared.notification.transaction_id import second_try_ids, transaction_ids
from shared.ports import CancelFailed, RetractedNotification, RetractionStore, SentNotificationCancelling
from shared.temporal.messages import NotificationRetractionInput, NotificationRetractionResult
from worker.activities.heartbeat import heartbeating
from worker.activities.novu_fault import novu_fault
from worker.activities.preparation import RECIPIENTS_PER_EVENT

log = logging.getLogger("NotificationRetraction")


class RetractionCancelling:
    """What NotificationRetractionWorkflow does."""

    def __init__(self, store: RetractionStore, novu: Callable[[str], SentNotificationCancelling]) -> None:
        """`novu`: where an enterprise's events are."""
        self._store = store
        self._novu = novu

    @activity.defn(name="cancel_retracted")
    async def cancel_retracted(self, input: NotificationRetractionInput) -> NotificationRetractionResult:
        """Cancel every event of each notification and store the answer on its row, one notification at a time.

        Safe to repeat: a stored answer is not asked for again, and cancelling twice is once.

        Raises:
            StoreUnavailable: the database is away.
            ApplicationError: type "NovuFault"; Novu could not be asked.
        """
        done = 0
        cancelled = 0
        async with heartbeating(lambda: (done,)):
            for retracted in await self._store.retractions_to_cancel(input.enterprise_id, input.notification_ids):
                try:
                    cancelled += await self._cancel(input.enterprise_id, retracted)
                except CancelFailed as failed:
                    raise novu_fault(failed.fault) from None
                done += 1
        return NotificationRetractionResult(cancelled=cancelled, too_late=done - cancelled)

    async def _cancel(self, enterprise_id: str, retracted: RetractedNotification) -> bool:
        tries = _transaction_ids(retracted)
        novu = self._novu(enterprise_id)
        answers = [await novu.cancel(event) for one_try in tries for event in one_try]
        # All that became of earlier tries was known before there was another.
        latest = answers[-len(tries[-1]) :]
        cancellation = {
            "cancelled": all(answers),
            "events": len(answers),
            "events_cancelled": sum(answers),
            # Novu's no is one word for "sent", "never seen", and "on the queue": the last is sent all the same.
            "may_be_sent_yet": not all(latest),
            # False: nobody knows whether it was sent. A report that comes late has Novu asked again.
            "settled": retracted.settled,
        }
        await self._store.record_cancellations(enterprise_id, {retracted.id: cancellation})
        log.info(
            "notification_cancelled" if all(answers) else "notification_not_cancelled",
            extra={"enterprise_id": enterprise_id, "notification_id": retracted.id, "events": len(answers)},
        )
        return all(answers)


def _transaction_ids(retracted: RetractedNotification) -> list[list[str]]:
    """Of each try, those of the chunks the row went out in; no try is empty."""
    base = retracted.transaction_id
    chunks = -(-retracted.recipient_count // RECIPIENTS_PER_EVENT)
    second_tries = enumerate(retracted.second_tries, 1)
    return [
        transaction_ids(base, chunks),
        *(second_try_ids(base, chunks, number) for number, chunks in second_tries if chunks),
    ]
