"""Claim, render, trigger, record: what needs the personal data happens inside one activity, so that none of it ever
enters Temporal's history.
"""

import logging
import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.novu.rates.lanes import SMALL
from shared.ports import (
    FaultCode,
    HeldClaim,
    NotificationClaims,
    NotificationTrigger,
    StoreAnswerTooLarge,
    StoreUnavailable,
    TriggerFault,
)
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, Portion
from worker.activities.addressing import CREDENTIAL_ATTEMPTS, AddressedTrigger, Addressing
from worker.activities.batch_preparation import BatchPreparation, PreparedBatch, Renderer
from worker.activities.delivery_progress import Progress, progress_of_earlier_attempts
from worker.activities.doubt import Doubts, JudgedDoubts
from worker.activities.heartbeat import heartbeating
from worker.activities.internal_fault import MOST_FAULTS, internal_fault, refusal_of
from worker.activities.kept_claims import while_renewing
from worker.activities.large_deliveries import LargeDeliveries, TriggerByTurns
from worker.activities.novu_fan_out import FanOutResult, PendingNotification, fan_out, next_round
from worker.activities.novu_fault import novu_fault
from worker.activities.preparation import RECIPIENTS_PER_EVENT
from worker.activities.putting_off import PuttingOff
from worker.activities.render_delay import DelayedRows
from worker.activities.shared_fault import fault_of_all
from worker.failures import is_put_off
from worker.meeting import side_by_side
from worker.render_pool.child_process import RenderPoolUnavailable
from worker.turns import UNCOUNTED, Door

log = logging.getLogger("NotificationDelivery")

BULK_ATTEMPTS = 2
"""After so many attempts in bulk, the events that are left go one by one, and each enterprise's by themselves."""


LARGEST_SMALL = SMALL * RECIPIENTS_PER_EVENT
"""Recipients; a row for more is a fan-out."""

RENDERING_DELAYED = "rendering_delayed"
"""What it calls rows whose rendering is put off, because what is like them cost too much. Each code is counted by
itself: neither this one nor those of Novu's faults bring a row nearer to `internal_error`.
"""

_LOGGED_DETAILS = ("template", "line", "sqlstate", "rests")
"""Of why a row failed: keys and places, and none of what it holds."""

FORESEEN = (StoreUnavailable, RenderPoolUnavailable, ApplicationError)
"""Faults of others, which pass: every row would meet them. But an answer that is too large is of the rows asked for."""


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


@dataclass(slots=True)
class _Calls:
    """Which of one enterprise's rows an attempt has claimed, and of which it has called Novu, or may have."""

    claimed: set[int] = field(default_factory=set)
    called: set[int] = field(default_factory=set)

    def note_claimed(self, batch: ClaimedBatch) -> None:
        self.claimed.update(notification.id for notification in batch.notifications)
        self.claimed.update(failed.notification_id for failed in batch.unreadable)

    @property
    def uncalled(self) -> set[int]:
        return self.claimed - self.called


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
        self._claims = claims
        self._trigger = trigger
        self._preparation = BatchPreparation(renderer, any_subscriber_id=any_subscriber_id)
        self._addressing = addressing
        self._putting_off = PuttingOff(claims, turns, lease_seconds=claim_lease_seconds)
        self._large = LargeDeliveries()
        self._doubts = doubts
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
            progress.add(await self._record(portion.enterprise_id, failed))

        faults = await side_by_side({each.enterprise_id: partial(give_up_portion, each) for each in input.portions})
        if faults:
            _tell_unforeseen(faults)
            raise fault_of_all(faults, attempt=activity.info().attempt)
        return progress.result

    async def _deliver_portion(self, portion: Portion, attempt: int, progress: Progress) -> None:
        """One enterprise's rows, whatever becomes of those beside them; raises as `deliver`."""
        if put_off := await self._putting_off.put_off(portion, _owner(), progress.held):
            raise novu_fault(put_off.fault())
        enterprise_id = portion.enterprise_id
        calls = _Calls()
        stumbled: dict[int, Exception] = {}
        delayed = DelayedRows()
        async with self._putting_off.turn(portion), self._large.turn(enterprise_id, len(portion.notification_ids)):
            waiting = deque([portion.notification_ids])
            while waiting:
                notification_ids = waiting.popleft()
                try:
                    batch = await self._claims.claim(
                        enterprise_id,
                        notification_ids,
                        claim_owner=_owner(),
                        lease_seconds=self._lease_seconds,
                        uncalled=calls.uncalled.issuperset(notification_ids),
                    )
                    calls.note_claimed(batch)
                    settled, fan_out_result, lacking = await self._send(enterprise_id, batch, delayed, attempt, calls)
                except Exception as error:
                    if isinstance(error, FORESEEN) and not isinstance(error, StoreAnswerTooLarge):
                        await self._leave_uncalled(enterprise_id, calls.uncalled)
                        raise
                    log.error("delivery_stumbled", exc_info=error, extra=_about(enterprise_id, notification_ids))
                    if len(notification_ids) > 1:
                        waiting.extend([notification_id] for notification_id in notification_ids)
                    else:
                        stumbled[notification_ids[0]] = error
                    continue
                progress.add(self._tell(enterprise_id, batch.refused))
                progress.add(settled)
                if fan_out_result.faulted or fan_out_result.asked_again:
                    progress.add(await self._settle_stumbled(enterprise_id, stumbled))
                    await self._hold_for_retry(enterprise_id, fan_out_result)
                    await self._leave_uncalled(enterprise_id, calls.uncalled - fan_out_result.faulted.keys())
                    raise novu_fault(fan_out_result.fault)
                waiting.extend(lacking)
                if batch.deferred:
                    waiting.append(list(batch.deferred))
            progress.add(await self._settle_stumbled(enterprise_id, stumbled))
            if delayed.chunks_sent:
                rows = [HeldClaim(notification_id, chunks) for notification_id, chunks in delayed.chunks_sent.items()]
                await self._hold(enterprise_id, rows, pause=delayed.seconds)
                await self._note_faults(enterprise_id, delayed.chunks_sent, RENDERING_DELAYED)
            if stumbled or delayed.chunks_sent:
                await self._leave_uncalled(enterprise_id, calls.uncalled & stumbled.keys())
                raise internal_fault(stumbled) if stumbled else delayed.fault()

    async def _send(
        self, enterprise_id: str, batch: ClaimedBatch, delayed: DelayedRows, attempt: int, calls: _Calls
    ) -> tuple[NotificationProcessingResult, FanOutResult, list[list[int]]]:
        """Render and trigger what was claimed, and record all that is settled; what is put off goes to `delayed`.

        The lists are rows to be claimed again, each list for itself, because their templates did not come along.
        """
        if all(len(each.recipients) <= LARGEST_SMALL for each in batch.notifications):
            return await self._send_by(self._trigger, enterprise_id, batch, delayed, attempt, calls)
        with self._large.fan_out(enterprise_id):
            by_turns = TriggerByTurns(self._trigger, self._large)
            return await self._send_by(by_turns, enterprise_id, batch, delayed, attempt, calls)

    async def _send_by(
        self,
        trigger: NotificationTrigger,
        enterprise_id: str,
        batch: ClaimedBatch,
        delayed: DelayedRows,
        attempt: int,
        calls: _Calls,
    ) -> tuple[NotificationProcessingResult, FanOutResult, list[list[int]]]:
        held = {notification.id: notification.chunks_sent for notification in batch.notifications}

        async def renew() -> None:
            ours = await self._renew(enterprise_id, held)
            for notification_id in held.keys() - ours:
                del held[notification_id]

        prepared, judged = await while_renewing(
            self._make_ready(enterprise_id, batch, delayed), renew, every_seconds=self._lease_seconds / 3
        )
        judged.sendable = [each for each in judged.sendable if each.notification_id in held]
        await self._hold_doubtful(enterprise_id, judged)
        calls.called.update(pending.notification_id for pending in judged.sendable)
        addressed = AddressedTrigger(
            self._addressing,
            trigger,
            enterprise_id,
            batch.recipients,
            next_events=partial(next_round, judged.sendable),
            waits_for_credentials=attempt <= CREDENTIAL_ATTEMPTS,
        )
        with closing(addressed):
            fan_out_result = await fan_out(
                judged.sendable,
                addressed,
                partial(self._renew, enterprise_id),
                renew_every_seconds=self._lease_seconds / 3,
                one_by_one=attempt > BULK_ATTEMPTS,
            )
        await self._keep_scattered(enterprise_id, judged.sendable, fan_out_result)
        outcomes = [*prepared.outcomes, *judged.outcomes, *fan_out_result.outcomes]
        settled = await self._record(enterprise_id, outcomes)
        put_off = len(judged.put_off) + await self._leave_doubtful(enterprise_id, fan_out_result)
        return replace(settled, in_doubt=put_off), fan_out_result, list(prepared.lacking_templates.values())

    async def _make_ready(
        self, enterprise_id: str, batch: ClaimedBatch, delayed: DelayedRows
    ) -> tuple[PreparedBatch, JudgedDoubts]:
        """All that comes before the first event, and writes nothing to a row."""
        prepared = await self._preparation.prepare(enterprise_id, batch, delayed)
        return prepared, await self._doubts.judge(enterprise_id, prepared.pending)

    async def _hold_doubtful(self, enterprise_id: str, judged: JudgedDoubts) -> None:
        """Put off what is in doubt; what is to be sent although it is, is marked before it is sent."""
        if judged.put_off:
            await self._hold(enterprise_id, judged.put_off)
        if judged.repeats:
            held = await self._hold(enterprise_id, judged.repeats)
            repeated = {row.notification_id for row in judged.repeats}
            judged.sendable = [
                each for each in judged.sendable if each.notification_id in held or each.notification_id not in repeated
            ]
            log.warning("notifications_repeated_in_doubt", extra=_about(enterprise_id, sorted(repeated)))

    async def _keep_scattered(
        self, enterprise_id: str, sent: Sequence[PendingNotification], result: FanOutResult
    ) -> None:
        """Of rows that are about to fail, store which chunks Novu has beyond the leading ones."""
        failed = {outcome.notification_id for outcome in result.outcomes if isinstance(outcome, Failed)}
        rows = [
            HeldClaim(each.notification_id, each.chunks_sent, tuple(each.chunks_beyond))
            for each in sent
            if each.chunks_beyond and each.notification_id in failed
        ]
        if rows:
            await self._hold(enterprise_id, rows)

    async def _leave_doubtful(self, enterprise_id: str, result: FanOutResult) -> int:
        """Put rows off of which nobody knows whether Novu has them, and say how many; where Novu heeds the
        Idempotency-Key they count as faulted, and are asked for again.
        """
        if not result.doubtful:
            return 0
        assert result.doubt is not None
        log.warning(
            "notifications_in_doubt",
            extra={**_about(enterprise_id, sorted(result.doubtful)), "reason": result.doubt.reason},
        )
        rows = self._doubts.left(result.doubtful.values())
        pause = result.doubt.retry_after_seconds or 0.0
        await self._note_faults(enterprise_id, result.doubtful, FaultCode.NOVU_FAULT)
        await self._hold(enterprise_id, rows, pause=pause)
        kept = {row.notification_id for row in rows if row.put_off_seconds is None}
        if kept and not result.faulted:
            result.fault = TriggerFault(result.doubt.reason, result.doubt.retry_after_seconds)
        result.asked_again = bool(kept)
        return len(rows) - len(kept)

    async def _record(self, enterprise_id: str, outcomes: Sequence[Outcome]) -> NotificationProcessingResult:
        if not outcomes:
            return NotificationProcessingResult()
        recorded = await self._claims.record_outcomes(enterprise_id, claim_owner=_owner(), outcomes=outcomes)
        return self._tell(enterprise_id, list(recorded.values()))

    def _tell(self, enterprise_id: str, ended: Sequence[Outcome]) -> NotificationProcessingResult:
        failed = {outcome.notification_id: outcome.refusal for outcome in ended if isinstance(outcome, Failed)}
        for notification_id, refusal in failed.items():
            log.warning(
                "notification_failed",
                extra={
                    "enterprise_id": enterprise_id,
                    "notification_id": notification_id,
                    "workflow_id": _owner(),
                    "code": refusal.code.value,
                    **{key: refusal.details[key] for key in _LOGGED_DETAILS if key in refusal.details},
                },
            )
        return NotificationProcessingResult(
            sent=sum(isinstance(outcome, Sent) for outcome in ended),
            failed={str(notification_id): refusal.code.value for notification_id, refusal in failed.items()},
        )

    async def _renew(self, enterprise_id: str, chunks_sent: Mapping[int, int]) -> frozenset[int]:
        return await self._claims.renew_claims(
            enterprise_id, claim_owner=_owner(), chunks_sent=chunks_sent, lease_seconds=self._lease_seconds
        )

    async def _hold_for_retry(self, enterprise_id: str, result: FanOutResult) -> None:
        """Keep the claims over the pause that Novu asked for, so that no sweep takes the rows up meanwhile."""
        pause = result.fault.retry_after_seconds if result.fault else None
        rows = [
            HeldClaim(
                each.notification_id,
                each.chunks_sent,
                tuple(each.chunks_beyond),
                # In doubt, the key of the unanswered call is kept: by it Novu knows the call again.
                refused=each.doubt_seconds is None or each.key_spent,
            )
            for each in result.faulted.values()
        ]
        if rows:
            await self._hold(enterprise_id, rows, pause=pause or 0.0)
            code = result.fault.code if result.fault else FaultCode.NOVU_FAULT
            await self._note_faults(enterprise_id, result.faulted, code)

    async def _leave_uncalled(self, enterprise_id: str, notification_ids: Collection[int]) -> None:
        """Say of rows of which Novu was not called that it was not. Only a courtesy: else they would be in doubt."""
        if notification_ids:
            with suppress(StoreUnavailable):
                await self._hold(enterprise_id, [HeldClaim(each) for each in sorted(notification_ids)])

    async def _hold(self, enterprise_id: str, rows: Sequence[HeldClaim], *, pause: float = 0.0) -> frozenset[int]:
        return await self._claims.hold_claims(
            enterprise_id, claim_owner=_owner(), rows=rows, lease_seconds=self._lease_seconds + math.ceil(pause)
        )

    async def _note_faults(self, enterprise_id: str, notification_ids: Collection[int], code: str) -> Mapping[int, int]:
        return await self._claims.note_faults(
            enterprise_id, claim_owner=_owner(), notification_ids=notification_ids, code=code
        )

    async def _settle_stumbled(
        self, enterprise_id: str, stumbled: dict[int, Exception]
    ) -> NotificationProcessingResult:
        """Fail those that have stumbled often enough; the others stay in `stumbled`, for another attempt.

        A fault here concerns all of them, and rises.
        """
        if not stumbled:
            return NotificationProcessingResult()
        faults = await self._note_faults(enterprise_id, stumbled, RefusalCode.INTERNAL_ERROR)
        guilty = [notification_id for notification_id, count in faults.items() if count >= MOST_FAULTS]
        failed = [Failed(notification_id, refusal_of(stumbled[notification_id])) for notification_id in guilty]
        for notification_id in stumbled.keys() - (faults.keys() - set(guilty)):
            del stumbled[notification_id]  # or no longer ours
        return await self._record(enterprise_id, failed)


def _about(enterprise_id: str, notification_ids: Sequence[int]) -> dict[str, Any]:
    return {
        "enterprise_id": enterprise_id,
        "notification_ids": list(notification_ids[:10]),
        "notifications": len(notification_ids),
        "workflow_id": _owner(),
    }


def _tell_unforeseen(faults: Mapping[str, Exception]) -> None:
    """Of several faults only one is raised. What several met together is told once."""
    if len(faults) == 1:
        return
    unforeseen = {id(fault): fault for fault in faults.values() if not isinstance(fault, ApplicationError)}
    for fault in unforeseen.values():
        whose = [enterprise_id for enterprise_id, met in faults.items() if met is fault]
        extra = {"enterprise_ids": whose[:10], "enterprises": len(whose), "workflow_id": _owner()}
        log.warning("shared_delivery_faulted", exc_info=fault, extra=extra)


def _owner() -> str:
    """Who holds the claims: the workflow, so that every attempt of its activities is the same owner."""
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None, "these activities run in workflows only"
    return workflow_id
