"""One attempt at one enterprise's rows: batch by batch, and where nobody foresaw what is met, row by row."""

import logging
from collections import deque
from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from shared.notification.outcomes import Failed, RefusalCode
from shared.ports import StoreAnswerTooLarge, StoreUnavailable
from worker.activities.batch_delivery import BatchDelivery
from worker.activities.delivery_progress import Progress
from worker.activities.internal_fault import MOST_FAULTS, internal_fault, refusal_of
from worker.activities.novu_fault import novu_fault
from worker.activities.owned_claims import OwnedClaims
from worker.activities.render_delay import DelayedRows
from worker.activities.unsettled_rows import hold_delayed, hold_for_retry
from worker.render_pool.child_process import RenderPoolUnavailable

log = logging.getLogger("NotificationDelivery")

FORESEEN = (StoreUnavailable, RenderPoolUnavailable, ApplicationError)
"""Faults of others, which pass: every row would meet them. But an answer that is too large is of the rows asked for."""


class PortionDelivery:
    """`progress` has what is settled as soon as it is. One use per object."""

    def __init__(self, claims: OwnedClaims, batches: BatchDelivery, progress: Progress, attempt: int) -> None:
        self._claims = claims
        self._batches = batches
        self._progress = progress
        self._attempt = attempt
        self._stumbled: dict[int, Exception] = {}
        self._delayed = DelayedRows()

    async def deliver(self, notification_ids: Sequence[int]) -> None:
        """Until each of them is settled, put off, or nobody's of ours.

        Raises:
            StoreUnavailable: the database is away.
            RenderPoolUnavailable: nothing can be rendered now.
            ApplicationError: type "NovuFault" and its kin, "InternalFault" or "RenderingDelayed"; some are left.
        """
        waiting = deque([list(notification_ids)])
        while waiting:
            waiting.extend(await self._deliver_batch(waiting.popleft()))
        await self._settle_stumbled()
        if self._delayed.chunks_sent:
            await hold_delayed(self._claims, self._delayed)
        if self._stumbled or self._delayed.chunks_sent:
            await self._claims.leave_uncalled(self._claims.uncalled & self._stumbled.keys())
            raise internal_fault(self._stumbled) if self._stumbled else self._delayed.fault()

    async def _deliver_batch(self, notification_ids: Sequence[int]) -> list[list[int]]:
        """Claim them and bring them to their recipients; returns those that are to be claimed again, each list for
        itself.
        """
        try:
            claimed = await self._claims.claim(notification_ids)
            delivered = await self._batches.deliver(self._claims, claimed, self._delayed, self._attempt)
        except Exception as error:
            if isinstance(error, FORESEEN) and not isinstance(error, StoreAnswerTooLarge):
                await self._claims.leave_uncalled(self._claims.uncalled)
                raise
            log.error("delivery_stumbled", exc_info=error, extra=self._claims.about(notification_ids))
            return self._set_apart(notification_ids, error)
        self._progress.add(self._claims.tell(claimed.refused))
        self._progress.add(delivered.settled)
        if delivered.is_to_be_tried_again:
            await self._settle_stumbled()
            await hold_for_retry(self._claims, delivered.sent)
            await self._claims.leave_uncalled(self._claims.uncalled - delivered.sent.faulted.keys())
            raise novu_fault(delivered.sent.fault)
        return [*delivered.lacking, *([list(claimed.deferred)] if claimed.deferred else [])]

    def _set_apart(self, notification_ids: Sequence[int], error: Exception) -> list[list[int]]:
        """What nobody foresaw may be of one row: of several each is tried by itself."""
        if len(notification_ids) > 1:
            return [[notification_id] for notification_id in notification_ids]
        self._stumbled[notification_ids[0]] = error
        return []

    async def _settle_stumbled(self) -> None:
        """Fail those that have stumbled often enough; the others stay, for another attempt.

        A fault here concerns all of them, and rises.
        """
        if not self._stumbled:
            return
        faults = await self._claims.note_faults(self._stumbled, RefusalCode.INTERNAL_ERROR)
        guilty = [notification_id for notification_id, count in faults.items() if count >= MOST_FAULTS]
        failed = [Failed(notification_id, refusal_of(self._stumbled[notification_id])) for notification_id in guilty]
        for notification_id in self._stumbled.keys() - (faults.keys() - set(guilty)):
            del self._stumbled[notification_id]  # or no longer ours
        self._progress.add(await self._claims.record(failed))
