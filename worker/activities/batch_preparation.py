"""A claimed batch before its first event: what is settled already, and what is ready to be sent."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.notification.models import ClaimedBatch, Notification, NovuWorkflow, WorkflowType
from shared.notification.outcomes import Failed, Outcome, Refusal, RefusalCode, Sent
from shared.ports import TriggerEvent
from worker.activities.novu_fan_out import PendingNotification
from worker.activities.preparation import channels_of, find_refusal, templates_too_large, trigger_events, unsent_calls
from worker.activities.render_delay import DelayedRows
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult


class Renderer(Protocol):
    """Renders each request's channels, or says why not, or not yet; never raises for what a template does."""

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]: ...


@dataclass(slots=True)
class PreparedBatch:
    """A batch before it is sent. `lacking_templates` holds, by workflow, rows whose templates were withheld because
    those of all workflows together were too large.
    """

    outcomes: list[Outcome]
    pending: list[PendingNotification] = field(default_factory=list)
    lacking_templates: dict[str, list[int]] = field(default_factory=dict)


class BatchPreparation:
    """Renders what was claimed, and splits it."""

    def __init__(self, renderer: Renderer, *, any_subscriber_id: bool = False) -> None:
        self._renderer = renderer
        self._any_subscriber_id = any_subscriber_id

    async def prepare(self, enterprise_id: str, batch: ClaimedBatch, delayed: DelayedRows) -> PreparedBatch:
        """Split the batch into what is settled and notifications ready to send."""
        prepared = PreparedBatch(outcomes=list(batch.unreadable))
        sendable: list[tuple[Notification, NovuWorkflow]] = []
        for notification in batch.notifications:
            refusal = find_refusal(notification, any_subscriber_id=self._any_subscriber_id)
            if refusal is None and notification.workflow is not None:
                sendable.append((notification, notification.workflow))
            elif refusal is not None:
                _refuse(notification, refusal, prepared)
        share_templates = batch.templates_withheld and len({workflow.key for _, workflow in sendable}) > 1
        contents = await self._render(enterprise_id, batch, sendable)
        for (notification, workflow), content in zip(sendable, contents, strict=True):
            if isinstance(content, Refusal):
                lacks = batch.templates_withheld and content.code is RefusalCode.TEMPLATE_NOT_FOUND
                if lacks and share_templates:
                    prepared.lacking_templates.setdefault(workflow.key, []).append(notification.id)
                else:
                    _refuse(notification, templates_too_large(workflow) if lacks else content, prepared)
                continue
            if isinstance(content, RenderDelayed):
                delayed.add(notification.id, notification.chunks_sent, content)
                continue
            events = trigger_events(notification, workflow, content, enterprise_id=enterprise_id)
            if events:
                prepared.pending.append(_pending(notification, events))
            else:
                # Novu has accepted every chunk, and the worker that saw it was lost before it wrote so.
                prepared.outcomes.append(Sent(notification.id, notification.transaction_base))
        return prepared

    async def _render(
        self, enterprise_id: str, batch: ClaimedBatch, sendable: Sequence[tuple[Notification, NovuWorkflow]]
    ) -> list[RenderResult]:
        """Contents of each notification, in order; none for a STATIC workflow, whose payload Novu renders itself.

        Where a workflow has a schema, of whichever type, its payloads are held to it on the way.
        """
        requests = [
            RenderRequest(
                enterprise_id,
                workflow,
                channels_of(notification, workflow) if workflow.type is WorkflowType.DYNAMIC else (),
                batch.templates,
                notification.payload,
            )
            for notification, workflow in sendable
            if _is_rendered(workflow)
        ]
        rendered = iter(await self._renderer.render(requests) if requests else [])
        return [next(rendered) if _is_rendered(workflow) else {} for _, workflow in sendable]


def _refuse(notification: Notification, refusal: Refusal, prepared: PreparedBatch) -> None:
    """It fails; if an earlier call for it was left without an answer, only once Novu turns out not to have it."""
    calls = [] if notification.doubt_seconds is None else unsent_calls(notification)
    if calls:
        prepared.pending.append(_pending(notification, calls, refusal))
    else:
        prepared.outcomes.append(Failed(notification.id, refusal))


def _pending(
    notification: Notification, events: Iterable[TriggerEvent], refusal: Refusal | None = None
) -> PendingNotification:
    return PendingNotification(
        notification.id,
        notification.transaction_base,
        notification.chunks_sent,
        deque(events),
        chunks_beyond=set(notification.chunks_beyond),
        doubt_seconds=notification.doubt_seconds,
        doubtful_repeats=notification.doubtful_repeats,
        refusal=refusal,
    )


def _is_rendered(workflow: NovuWorkflow) -> bool:
    return workflow.type is WorkflowType.DYNAMIC or workflow.payload_schema is not None
