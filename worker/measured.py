"""What a delivery does to the outside, as spans and metrics: the ports it uses, each wrapped in one that measures."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry.util.types import AttributeValue
from temporalio import activity

from shared.notification.models import ClaimedBatch, Notification
from shared.notification.outcomes import Failed, Outcome, Refusal
from shared.ports import (
    FaultCode,
    HeldClaim,
    NotificationClaims,
    NotificationTrigger,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)
from shared.telemetry.commit_time import seconds_since_commit
from shared.telemetry.enterprise_names import ENTERPRISE, names
from shared.telemetry.metric import counter, duration
from shared.telemetry.tracing import ENTERPRISE_ID, NOTIFICATION_COUNT, span
from worker import metrics
from worker.activities.batch_preparation import Renderer
from worker.activities.preparation import channels_of
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult

_notifications = counter(metrics.NOTIFICATIONS)
_commit_to_outcome = duration(metrics.COMMIT_TO_OUTCOME)
_delivery_duration = duration(metrics.DELIVERY_DURATION)
_retries = counter(metrics.RETRIES)
_claims_lost = counter(metrics.CLAIMS_LOST)
_faults = counter(metrics.FAULTS)
_doubtful_repeats = counter(metrics.DOUBTFUL_REPEATS)
_render_duration = duration(metrics.RENDER_DURATION)
_render_refusals = counter(metrics.RENDER_REFUSALS)
_render_delays = counter(metrics.RENDER_DELAYS)
_novu_events = counter(metrics.NOVU_EVENTS)

_kinds: ContextVar[dict[int, dict[str, str]] | None] = ContextVar("kinds of the notifications claimed", default=None)
"""What this activity's notifications are counted as, by id; an activity runs in a context of its own."""


class MeasuredClaims:
    """Port NotificationClaims: claims and records as spans, outcomes and retries counted."""

    def __init__(self, claims: NotificationClaims) -> None:
        self._claims = claims

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        _note_retry()
        with span("xnovu.claim", _about(enterprise_id, len(notification_ids))) as current:
            batch = await self._claims.claim(
                enterprise_id, notification_ids, claim_owner=claim_owner, lease_seconds=lease_seconds, uncalled=uncalled
            )
            current.set_attribute("xnovu.notification.claimed", len(batch.notifications))
        _kinds.set({notification.id: _kind(notification) for notification in batch.notifications})
        _count(enterprise_id, batch.refused)
        return batch

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        with span("xnovu.record", _about(enterprise_id, len(outcomes))):
            recorded = await self._claims.record_outcomes(enterprise_id, claim_owner=claim_owner, outcomes=outcomes)
        _count(enterprise_id, list(recorded.values()))
        return recorded

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        held = await self._claims.renew_claims(
            enterprise_id, claim_owner=claim_owner, chunks_sent=chunks_sent, lease_seconds=lease_seconds
        )
        if lost := len(chunks_sent.keys() - held):
            _claims_lost.add(lost)
        return held

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        held = await self._claims.hold_claims(
            enterprise_id, claim_owner=claim_owner, rows=rows, lease_seconds=lease_seconds
        )
        if lost := len({row.notification_id for row in rows} - held):
            _claims_lost.add(lost)
        if repeated := sum(row.repeated for row in rows):
            _doubtful_repeats.add(repeated, {ENTERPRISE: names.name(enterprise_id)})
        return held

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        # A fault is Novu's as a rule, and then everybody's: it names nobody who is not named already.
        _faults.add(len(notification_ids), {ENTERPRISE: names.name(enterprise_id), "xnovu.code": code})
        return await self._claims.note_faults(
            enterprise_id, claim_owner=claim_owner, notification_ids=notification_ids, code=code
        )


class MeasuredRenderer:
    """Rendering as a span; refusals and delays counted."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        began = time.perf_counter()
        with span("xnovu.render", {NOTIFICATION_COUNT: len(requests)}):
            results = await self._renderer.render(requests)
        _render_duration.record(time.perf_counter() - began)
        refusals = Counter(result.code for result in results if isinstance(result, Refusal))
        for code, count in refusals.items():
            _render_refusals.add(count, {"xnovu.code": code.value})
        if delayed := sum(isinstance(result, RenderDelayed) for result in results):
            _render_delays.add(delayed)
        return results


class MeasuredTrigger:
    """Port NotificationTrigger: a round of events as a span, Novu's answers counted by kind."""

    def __init__(self, trigger: NotificationTrigger) -> None:
        self._trigger = trigger

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        with span("xnovu.trigger", {"xnovu.event.count": len(events)}) as current:
            results = await self._trigger.trigger(events)
            for answer, count in Counter(map(_answer, results)).items():
                current.set_attribute(f"xnovu.event.{answer}", count)
                _novu_events.add(count, {"xnovu.result": answer})
        return results


def _about(enterprise_id: str, count: int) -> dict[str, AttributeValue]:
    return {ENTERPRISE_ID: enterprise_id, NOTIFICATION_COUNT: count}


def _note_retry() -> None:
    """Once for each attempt: a later claim of the same attempt finds the context marked."""
    if activity.info().attempt > 1 and _kinds.get() is None:
        _retries.add(1)


def _kind(notification: Notification) -> dict[str, str]:
    if notification.workflow is None:
        return {}
    channels = sorted(channel.value for channel in channels_of(notification, notification.workflow))
    return {"xnovu.workflow.type": notification.workflow.type.value, "xnovu.channels": ",".join(channels)}


def _count(enterprise_id: str, outcomes: Sequence[Outcome]) -> None:
    kinds = _kinds.get() or {}
    counted = Counter(
        (_outcome(outcome), tuple(kinds.get(outcome.notification_id, {}).items())) for outcome in outcomes
    )
    name = names.name(enterprise_id, in_trouble=any(isinstance(outcome, Failed) for outcome in outcomes))
    for (outcome_attributes, kind), count in counted.items():
        _notifications.add(count, {ENTERPRISE: name, **dict(outcome_attributes), **dict(kind)})
    if outcomes:
        _delivery_duration.record((datetime.now(UTC) - activity.info().scheduled_time).total_seconds())
        since_commit = seconds_since_commit()
        if since_commit is not None:
            _commit_to_outcome.record(since_commit)


def _outcome(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    if isinstance(outcome, Failed):
        return (("xnovu.outcome", "FAILED"), ("xnovu.code", outcome.refusal.code.value))
    return (("xnovu.outcome", "SENT"),)


def _answer(result: TriggerResult) -> str:
    match result:
        case TriggerAccepted():
            return "accepted"
        case TriggerRefused():
            return "refused"
        case TriggerFault(code=FaultCode.NOVU_FAULT):
            return "fault"
        case TriggerFault():
            return "put_off"
        case TriggerUnknown():
            return "unknown"
