"""Claim, render, trigger, record: what needs the personal data happens inside one activity, so that none of it ever
enters Temporal's history.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from shared.notification.models import Channel, ClaimedBatch, Notification, NovuWorkflow, WorkflowType
from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import NotificationStore, NotificationTrigger, TriggerFault
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from worker.activities.heartbeat import heartbeating
from worker.activities.novu_fan_out import PendingNotification, fan_out
from worker.activities.preparation import channels_of, find_refusal, trigger_events
from worker.render_pool.messages import RenderRequest
from worker.rendering.renderer import RenderedContent

log = logging.getLogger("NotificationDelivery")

BULK_ATTEMPTS = 2
"""After so many attempts in bulk, the events that are left go one by one."""


class Renderer(Protocol):
    """Renders each request's channels, or says why not; never raises for what a template does."""

    async def render(self, requests: Sequence[RenderRequest]) -> list[dict[Channel, RenderedContent] | Refusal]: ...


@dataclass(frozen=True)
class GiveUpInput:
    """Notifications whose delivery met faults for longer than we wait, and the last cause."""

    enterprise_id: str
    notification_ids: list[int]
    cause: str


class NotificationDelivery:
    """The activities that hold a claim. The claim's owner is the workflow's id, so every repeat is the same owner."""

    def __init__(
        self, store: NotificationStore, trigger: NotificationTrigger, renderer: Renderer, *, claim_lease_seconds: int
    ) -> None:
        self._store = store
        self._trigger = trigger
        self._renderer = renderer
        self._lease_seconds = claim_lease_seconds

    @activity.defn(name="deliver_notifications")
    async def deliver(self, input: NotificationProcessingInput) -> NotificationProcessingResult:
        """Deliver what can be claimed of these notifications and write each outcome to its row.

        Safe to repeat: recorded rows are not claimed again, and Novu removes duplicates by transaction id.

        Raises:
            StoreUnavailable: the database is away; nothing is known to be done.
            ApplicationError: type "NovuFault"; some notifications met a passing fault, the others are recorded.
        """
        settled_before = _settled_by_earlier_attempts()
        async with heartbeating(settled_before):
            owner = activity.info().workflow_id
            batch = await self._store.claim(
                input.enterprise_id, input.notification_ids, claim_owner=owner, lease_seconds=self._lease_seconds
            )
            outcomes, pending = await self._prepare(input.enterprise_id, batch)
            sent = await fan_out(
                input.enterprise_id,
                pending,
                self._trigger,
                partial(self._renew, input.enterprise_id, owner),
                one_by_one=activity.info().attempt > BULK_ATTEMPTS,
            )
            outcomes += sent.outcomes
            result = _add(settled_before, await self._record(input.enterprise_id, owner, outcomes))
            if sent.faulted:
                await self._hold_for_retry(input.enterprise_id, owner, sent.faulted, sent.fault)
                activity.heartbeat(result)
                raise _novu_fault(sent.fault)
        settled = result.sent + len(result.failed)
        return replace(result, not_claimed=max(0, len(input.notification_ids) - settled))

    @activity.defn(name="give_up_notifications")
    async def give_up(self, input: GiveUpInput) -> NotificationProcessingResult:
        """Record what is still this workflow's as failed, with the cause. Safe to repeat: recording is guarded."""
        owner = activity.info().workflow_id
        refusal = Refusal(RefusalCode.DELIVERY_TIMED_OUT, f"gave up after repeated faults: {input.cause}")
        return await self._record(
            input.enterprise_id, owner, [Failed(notification_id, refusal) for notification_id in input.notification_ids]
        )

    async def _prepare(
        self, enterprise_id: str, batch: ClaimedBatch
    ) -> tuple[list[Outcome], list[PendingNotification]]:
        """Split the batch into refusals and notifications ready to send."""
        outcomes: list[Outcome] = []
        sendable: list[tuple[Notification, NovuWorkflow]] = []
        for notification in batch.notifications:
            refusal = find_refusal(notification)
            if refusal is None and notification.workflow is not None:
                sendable.append((notification, notification.workflow))
            elif refusal is not None:
                outcomes.append(Failed(notification.id, refusal))
        pending = []
        for (notification, workflow), content in zip(sendable, await self._render(batch, sendable), strict=True):
            if isinstance(content, Refusal):
                outcomes.append(Failed(notification.id, content))
            else:
                events = trigger_events(enterprise_id, notification, workflow, content)
                pending.append(PendingNotification(notification.id, notification.chunks_sent, deque(events)))
        return outcomes, pending

    async def _render(
        self, batch: ClaimedBatch, sendable: Sequence[tuple[Notification, NovuWorkflow]]
    ) -> list[dict[Channel, RenderedContent] | Refusal]:
        """Contents of each notification, in order; none for a STATIC workflow, whose payload Novu renders itself."""
        dynamic = [
            RenderRequest(workflow, channels_of(notification, workflow), batch.templates, notification.payload)
            for notification, workflow in sendable
            if workflow.type is WorkflowType.DYNAMIC
        ]
        rendered = iter(await self._renderer.render(dynamic) if dynamic else [])
        return [next(rendered) if workflow.type is WorkflowType.DYNAMIC else {} for _, workflow in sendable]

    async def _record(
        self, enterprise_id: str, owner: str, outcomes: Sequence[Outcome]
    ) -> NotificationProcessingResult:
        if not outcomes:
            return NotificationProcessingResult()
        recorded = await self._store.record_outcomes(enterprise_id, claim_owner=owner, outcomes=outcomes)
        kept = [outcome for outcome in outcomes if outcome.notification_id in recorded]
        failed = {outcome.notification_id: outcome.refusal for outcome in kept if isinstance(outcome, Failed)}
        for notification_id, refusal in failed.items():
            log.warning(
                "notification_failed",
                extra={
                    "enterprise_id": enterprise_id,
                    "notification_id": notification_id,
                    "workflow_id": owner,
                    "code": refusal.code.value,
                },
            )
        return NotificationProcessingResult(
            sent=sum(isinstance(outcome, Sent) for outcome in kept),
            failed={str(notification_id): refusal.code.value for notification_id, refusal in failed.items()},
        )

    async def _renew(self, enterprise_id: str, owner: str, chunks_sent: Mapping[int, int]) -> frozenset[int]:
        return await self._store.renew_claims(
            enterprise_id, claim_owner=owner, chunks_sent=chunks_sent, lease_seconds=self._lease_seconds
        )

    async def _hold_for_retry(
        self, enterprise_id: str, owner: str, faulted: Mapping[int, int], fault: TriggerFault | None
    ) -> None:
        """Keep the claims over the pause that Novu asked for, so that no sweep takes the rows up meanwhile."""
        pause = (fault.retry_after_seconds if fault else None) or 0.0
        await self._store.renew_claims(
            enterprise_id, claim_owner=owner, chunks_sent=faulted, lease_seconds=self._lease_seconds + int(pause) + 1
        )


def _novu_fault(fault: TriggerFault | None) -> ApplicationError:
    delay = fault.retry_after_seconds if fault else None
    return ApplicationError(
        f"Novu: {fault.reason if fault else 'no answer'}",
        type="NovuFault",
        next_retry_delay=timedelta(seconds=delay) if delay else None,
    )


def _settled_by_earlier_attempts() -> NotificationProcessingResult:
    """What earlier attempts recorded: they left it in their last heartbeat."""
    details = activity.info().heartbeat_details
    return NotificationProcessingResult(**details[0]) if details else NotificationProcessingResult()


def _add(earlier: NotificationProcessingResult, now: NotificationProcessingResult) -> NotificationProcessingResult:
    return NotificationProcessingResult(sent=earlier.sent + now.sent, failed={**earlier.failed, **now.failed})
