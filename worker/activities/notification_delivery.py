"""Claim, render, trigger, record: what needs the personal data happens inside one activity, so that none of it ever
enters Temporal's history.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError

from shared.notification.outcomes import Failed, Refusal, RefusalCode
from shared.ports import NotificationClaims, NotificationTrigger
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, Portion
from worker.activities.addressing import Addressing
from worker.activities.batch_delivery import BULK_ATTEMPTS, BatchDelivery
from worker.activities.batch_preparation import BatchPreparation, Renderer
from worker.activities.delivery_progress import Progress, progress_of_earlier_attempts
from worker.activities.doubt import Doubts
from worker.activities.heartbeat import heartbeating
from worker.activities.large_deliveries import LargeDeliveries
from worker.activities.novu_fault import novu_fault
from worker.activities.owned_claims import OwnedClaims, claim_owner
from worker.activities.portion_delivery import PortionDelivery
from worker.activities.putting_off import PuttingOff
from worker.activities.shared_fault import fault_of_all
from worker.failures import is_put_off
from worker.meeting import side_by_side
from worker.turns import UNCOUNTED, Door

log = logging.getLogger("NotificationDelivery")


@dataclass(frozen=True)
class GiveUpInput:
    """Notifications whose delivery met faults for longer than we wait, and the last cause."""

    enterprise_id: str
    notification_ids: list[int]
    cause: str
    others: list[Portion] = field(default_factory=list)

    @property
    def portions(self) -> list[Portion]:
        """All of them, each enterprise's by itself."""
        return [Portion(self.enterprise_id, self.notification_ids), *self.others]


class NotificationDelivery:
    """The activities that hold a claim. The claim's owner is the workflow's id, so every repeat is the same owner."""

    def __init__(
        self,
        claims: NotificationClaims,
        trigger: NotificationTrigger,
        renderer: Renderer,
        addressing: Addressing,
        doubts: Doubts,
        *,
        claim_lease_seconds: int,
        turns: Door = UNCOUNTED,
        any_subscriber_id: bool = False,
    ) -> None:
        preparation = BatchPreparation(renderer, any_subscriber_id=any_subscriber_id)
        self._large = LargeDeliveries()
        self._batches = BatchDelivery(trigger, preparation, addressing, doubts, self._large)
        self._claims = claims
        self._putting_off = PuttingOff(claims, turns, lease_seconds=claim_lease_seconds)
        self._lease_seconds = claim_lease_seconds

    @activity.defn(name="deliver_notifications")
    async def deliver(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        """Deliver what can be claimed of these notifications and write each outcome to its row.

        Safe to repeat: recorded rows are not claimed again, and rows that Novu may have are known to be in doubt.

        Raises:
            StoreUnavailable: the database is away; nothing is known to be done.
            ApplicationError: type "NovuFault", "NovuRate", "EnterpriseRate", "NovuPaymentRequired", "NovuKeyMissing",
                "InternalFault", "RenderingDelayed" or "WorkerBusy"; some notifications met a passing fault or what
                nobody foresaw, or are to be sent or rendered later; the others are recorded.
        """
        progress = progress_of_earlier_attempts()
        attempt = activity.info().attempt - progress.put_offs
        waiting = [portion for portion in input.portions if progress.is_left(portion.enterprise_id)]
        async with heartbeating(progress.details):
            faults = await side_by_side(
                {each.enterprise_id: partial(self._deliver_portion, each, attempt, progress) for each in waiting},
                together=attempt <= BULK_ATTEMPTS,
            )
        if faults:
            progress.put_offs += all(map(is_put_off, faults.values()))
            progress.left = list(faults)
            activity.heartbeat(*progress.details())
            _tell_unforeseen(faults)
            raise fault_of_all(faults, attempt=activity.info().attempt)
        asked = sum(len(portion.notification_ids) for portion in input.portions)
        result = progress.result
        return replace(result, not_claimed=max(0, asked - result.sent - len(result.failed) - result.in_doubt))

    @activity.defn(name="give_up_notifications")
    async def give_up(self, input: GiveUpInput) -> NotificationProcessingResult:
        """Record what is still this workflow's as failed, with the cause. Safe to repeat: recording is guarded."""
        refusal = Refusal(RefusalCode.DELIVERY_TIMED_OUT, f"gave up after repeated faults: {input.cause}")
        progress = Progress()

        async def give_up_portion(portion: Portion) -> None:
            failed = [Failed(notification_id, refusal) for notification_id in portion.notification_ids]
            progress.add(await self._owned(portion).record(failed))

        faults = await side_by_side({each.enterprise_id: partial(give_up_portion, each) for each in input.portions})
        if faults:
            _tell_unforeseen(faults)
            raise fault_of_all(faults, attempt=activity.info().attempt)
        return progress.result

    async def _deliver_portion(self, portion: Portion, attempt: int, progress: Progress) -> None:
        """One enterprise's rows, whatever becomes of those beside them; raises as `deliver`."""
        if put_off := await self._putting_off.put_off(portion, claim_owner(), progress.held):
            raise novu_fault(put_off.fault())
        ids = portion.notification_ids
        async with self._putting_off.turn(portion), self._large.turn(portion.enterprise_id, len(ids)):
            await PortionDelivery(self._owned(portion), self._batches, progress, attempt).deliver(ids)

    def _owned(self, portion: Portion) -> OwnedClaims:
        return OwnedClaims(self._claims, portion.enterprise_id, lease_seconds=self._lease_seconds)


def _tell_unforeseen(faults: Mapping[str, Exception]) -> None:
    """Of several faults only one is raised. What several met together is told once."""
    if len(faults) == 1:
        return
    unforeseen = {id(fault): fault for fault in faults.values() if not isinstance(fault, ApplicationError)}
    for fault in unforeseen.values():
        whose = [enterprise_id for enterprise_id, met in faults.items() if met is fault]
        extra = {"enterprise_ids": whose[:10], "enterprises": len(whose), "workflow_id": claim_owner()}
        log.warning("shared_delivery_faulted", exc_info=fault, extra=extra)
