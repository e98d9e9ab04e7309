"""From claimed rows to their recipients: render, trigger, record."""

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from shared.notification.models import ClaimedBatch
from shared.novu.rates.lanes import SMALL
from shared.ports import NotificationTrigger
from shared.temporal.messages import NotificationProcessingResult
from worker.activities.addressing import CREDENTIAL_ATTEMPTS, AddressedTrigger, Addressing
from worker.activities.batch_preparation import BatchPreparation, PreparedBatch
from worker.activities.doubt import Doubts, JudgedDoubts
from worker.activities.kept_claims import while_renewing
from worker.activities.large_deliveries import LargeDeliveries, TriggerByTurns
from worker.activities.novu_fan_out import FanOutResult, fan_out, next_round
from worker.activities.owned_claims import OwnedClaims
from worker.activities.preparation import RECIPIENTS_PER_EVENT
from worker.activities.render_delay import DelayedRows
from worker.activities.unsettled_rows import hold_doubtful, keep_scattered, leave_doubtful

BULK_ATTEMPTS = 2
"""After so many attempts in bulk, the events that are left go one by one, and each enterprise's by themselves."""


LARGEST_SMALL = SMALL * RECIPIENTS_PER_EVENT
"""Recipients; a row for more is a fan-out."""


@dataclass(frozen=True, slots=True)
class DeliveredBatch:
    """`settled` is recorded, and `sent` says what is not. `lacking` are rows to be claimed again, each list for itself,
    because their templates did not come along.
    """

    settled: NotificationProcessingResult
    sent: FanOutResult
    lacking: list[list[int]]

    @property
    def is_to_be_tried_again(self) -> bool:
        """Whether some of it met a fault of Novu's that passes."""
        return bool(self.sent.faulted or self.sent.asked_again)


class BatchDelivery:
    """What was claimed at once, of one enterprise."""

    def __init__(
        self,
        trigger: NotificationTrigger,
        preparation: BatchPreparation,
        addressing: Addressing,
        doubts: Doubts,
        large: LargeDeliveries,
    ) -> None:
        self._trigger = trigger
        self._preparation = preparation
        self._addressing = addressing
        self._doubts = doubts
        self._large = large

    async def deliver(
        self, claims: OwnedClaims, batch: ClaimedBatch, delayed: DelayedRows, attempt: int
    ) -> DeliveredBatch:
        """Render and trigger what was claimed, and record all that is settled; what is put off goes to `delayed`.

        Raises:
            StoreUnavailable: the database is away.
            RenderPoolUnavailable: nothing can be rendered now.
        """
        if all(len(each.recipients) <= LARGEST_SMALL for each in batch.notifications):
            return await self._deliver_by(self._trigger, claims, batch, delayed, attempt)
        with self._large.fan_out(claims.enterprise_id):
            return await self._deliver_by(TriggerByTurns(self._trigger, self._large), claims, batch, delayed, attempt)

    async def _deliver_by(
        self, trigger: NotificationTrigger, claims: OwnedClaims, batch: ClaimedBatch, delayed: DelayedRows, attempt: int
    ) -> DeliveredBatch:
        prepared, judged = await self._make_ready(claims, batch, delayed)
        await hold_doubtful(claims, judged)
        claims.note_called([pending.notification_id for pending in judged.sendable])
        addressed = AddressedTrigger(
            self._addressing,
            trigger,
            claims.enterprise_id,
            batch.recipients,
            next_events=partial(next_round, judged.sendable),
            waits_for_credentials=attempt <= CREDENTIAL_ATTEMPTS,
        )
        with closing(addressed):
            sent = await fan_out(
                judged.sendable,
                addressed,
                claims.renew,
                renew_every_seconds=claims.lease_seconds / 3,
                one_by_one=attempt > BULK_ATTEMPTS,
            )
        await keep_scattered(claims, judged.sendable, sent)
        settled = await claims.record([*prepared.outcomes, *judged.outcomes, *sent.outcomes])
        put_off = len(judged.put_off) + await leave_doubtful(claims, self._doubts, sent)
        return DeliveredBatch(replace(settled, in_doubt=put_off), sent, list(prepared.lacking_templates.values()))

    async def _make_ready(
        self, claims: OwnedClaims, batch: ClaimedBatch, delayed: DelayedRows
    ) -> tuple[PreparedBatch, JudgedDoubts]:
        """All that comes before the first event, and writes nothing to a row. What is no longer ours by its end is not
        sendable.
        """
        held = {notification.id: notification.chunks_sent for notification in batch.notifications}

        async def renew() -> None:
            ours = await claims.renew(held)
            for notification_id in held.keys() - ours:
                del held[notification_id]

        async def make_ready() -> tuple[PreparedBatch, JudgedDoubts]:
            prepared = await self._preparation.prepare(claims.enterprise_id, batch, delayed)
            return prepared, await self._doubts.judge(claims.enterprise_id, prepared.pending)

        prepared, judged = await while_renewing(make_ready(), renew, every_seconds=claims.lease_seconds / 3)
        judged.sendable = [each for each in judged.sendable if each.notification_id in held]
        return prepared, judged
