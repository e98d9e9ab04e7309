"""From a claimed notification to the calls to Novu that deliver it, or the reason why there are none. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.notification.crowd import PAGE, Crowd, chunks
from shared.notification.models import Channel, Notification, NovuWorkflow, WorkflowType
from shared.notification.outcomes import Refusal, RefusalCode
from shared.notification.overrides import broken_line
from shared.notification.payload_rules import refused_member
from shared.notification.recipients import is_erased, not_taken
from shared.notification.transaction_id import transaction_id
from shared.ports import TriggerEvent
from worker.rendering.novu_traps import escape_traps
from worker.rendering.renderer import RenderedContent

RECIPIENTS_PER_EVENT = PAGE
"""Novu refuses more recipients in one event."""


def find_refusal(notification: Notification, *, any_subscriber_id: bool = False) -> Refusal | None:
    """Why this notification cannot be sent whatever its templates say; None if it can."""
    if notification.expired:
        return Refusal(RefusalCode.EXPIRED, "deliver_before had passed", {"chunks_sent": notification.chunks_sent})
    if notification.workflow is None:
        return Refusal(
            RefusalCode.WORKFLOW_NOT_FOUND, "notification_workflow_id names no active workflow of this enterprise"
        )
    if not notification.recipients:
        return Refusal(RefusalCode.INVALID_RECIPIENTS, "recipients is empty")
    if all(isinstance(each, str) and is_erased(each) for each in notification.recipients):
        return Refusal(RefusalCode.INVALID_RECIPIENTS, "everybody whom it was for has been erased")
    if places := not_taken(notification.recipients, any_id=any_subscriber_id):
        return Refusal(
            RefusalCode.INVALID_RECIPIENTS,
            "recipients holds what some versions of Novu drop without a word; if yours takes it,"
            " NOVU_SUBSCRIBER_IDS=any sends it (docs/configuration.md)",
            {"recipients": places},
        )
    if not isinstance(notification.payload, dict):
        return Refusal(RefusalCode.PAYLOAD_INVALID, "payload must be a JSON object")
    if not isinstance(notification.overrides, dict):
        return Refusal(RefusalCode.PAYLOAD_INVALID, "overrides must be a JSON object")
    if (path := broken_line(notification.overrides)) is not None:
        return Refusal(
            RefusalCode.PAYLOAD_INVALID, "overrides holds more than a line for a mail's head", {"member": path}
        )
    if (member := refused_member(notification.payload, notification.workflow.type)) is not None:
        return Refusal(RefusalCode.PAYLOAD_INVALID, f"{member.path} {member.why}", {"member": member.path})
    if notification.chunks_sent > chunk_count(notification):
        return Refusal(
            RefusalCode.ROW_UNREADABLE,
            "chunks_sent is more than there are chunks of 100 recipients",
            {"column": "chunks_sent"},
        )
    return _channel_refusal(notification, notification.workflow)


def _channel_refusal(notification: Notification, workflow: NovuWorkflow) -> Refusal | None:
    """Novu would say nothing of a channel for which its workflow has no step, and send nothing there."""
    if workflow.type is not WorkflowType.DYNAMIC:
        return None
    channels = channels_of(notification, workflow)
    if not channels:
        return Refusal(RefusalCode.TEMPLATE_NOT_FOUND, "neither the notification nor its workflow names a channel")
    missing = (
        [] if workflow.novu_channels is None else [it.value for it in channels if it not in workflow.novu_channels]
    )
    if not missing:
        return None
    return Refusal(
        RefusalCode.CHANNEL_NOT_IN_NOVU,
        f"Novu's workflow {workflow.key} has no step for {', '.join(missing)}: run xnovu novu apply",
        {"workflow": workflow.key, "channels": missing},
    )


def templates_too_large(workflow: NovuWorkflow) -> Refusal:
    """Why a notification is refused whose templates do not come along even if it is claimed without others."""
    return Refusal(
        RefusalCode.TEMPLATE_LIMIT_EXCEEDED,
        f"The templates that workflow {workflow.key} reaches are larger than 8 MB together",
        {"limit": "templates_bytes", "workflow": workflow.key},
    )


def channels_of(notification: Notification, workflow: NovuWorkflow) -> tuple[Channel, ...]:
    """The channels to render: the notification's own, else its workflow's defaults, each once; of a second try those
    that failed.
    """
    if notification.second_try is not None:
        tried = [channel for channel, _ in notification.second_try.parts if channel is not None]
        if tried:
            return tuple(dict.fromkeys(tried))
    return tuple(dict.fromkeys(notification.channels or workflow.default_channels))


def chunk_count(notification: Notification) -> int:
    """Into how many events its distinct recipients are divided, in all tries together."""
    second_try = notification.second_try
    if second_try is None:
        return _chunks(len(set(notification.recipients)))
    return second_try.first_chunk + sum(_chunks(len(people)) for _, people in second_try.parts)


def _chunks(people: int) -> int:
    return -(-people // RECIPIENTS_PER_EVENT)


def wants_credentials(notification: Notification, workflow: NovuWorkflow) -> bool:
    """Whether Novu is to have its recipients' push and chat credentials. Which channels a STATIC workflow has only Novu
    knows.
    """
    if workflow.type is not WorkflowType.DYNAMIC:
        return True
    return not {Channel.PUSH, Channel.CHAT}.isdisjoint(channels_of(notification, workflow))


def trigger_events(
    notification: Notification,
    workflow: NovuWorkflow,
    rendered: Mapping[Channel, RenderedContent],
    *,
    enterprise_id: str = "",
) -> list[TriggerEvent]:
    """One event for each chunk of at most 100 distinct recipients that Novu has not accepted yet; of a second try, for
    each channel that failed.

    Where a chunk begins does not depend on who was erased, to whom nothing goes. `enterprise_id` is whose turn it is at
    Novu's rate.
    """
    second_try = notification.second_try
    number, first_chunk = (0, 0) if second_try is None else (second_try.number, second_try.first_chunk)
    parts = ((None, notification.recipients),) if second_try is None else second_try.parts
    escaped = _rendered_payload(rendered) if rendered else {}
    of_all: list[tuple[Sequence[str], Mapping[str, Any]]] = []
    for channel, people in parts:
        shown = escaped if channel is None else {name: it for name, it in escaped.items() if name == channel.value}
        payload = {**notification.payload, "rendered": shown} if rendered else notification.payload
        of_all += [(chunk, payload) for chunk in chunks(people)]
    needs_credentials = wants_credentials(notification, workflow)
    return [
        TriggerEvent(
            novu_workflow_key=workflow.key,
            recipients=people,
            payload=payload,
            overrides=notification.overrides,
            transaction_id=transaction_id(notification.transaction_base, place, number),
            enterprise_id=enterprise_id,
            chunk=first_chunk + place,
            idempotency_round=notification.idempotency_round,
            needs_credentials=needs_credentials,
        )
        for place, (everybody, payload) in enumerate(of_all)
        if first_chunk + place >= notification.chunks_sent
        and first_chunk + place not in notification.chunks_beyond
        and (people := _without_erased(everybody))
    ]


def unsent_calls(notification: Notification) -> list[TriggerEvent]:
    """The same calls without what is in them: Novu is asked whether it has them, where they are not made any more.

    Of a row whose recipients are no list of texts nobody knows how many they were: there is nothing to ask.
    """
    second_try = notification.second_try
    if second_try is None and not _are_texts(notification.recipients):
        return []
    number, first_chunk = (0, 0) if second_try is None else (second_try.number, second_try.first_chunk)
    return [
        TriggerEvent(
            "", (), {}, {}, transaction_id(notification.transaction_base, chunk - first_chunk, number), chunk=chunk
        )
        for chunk in range(max(notification.chunks_sent, first_chunk), chunk_count(notification))
        if chunk not in notification.chunks_beyond
    ]


def _are_texts(recipients: object) -> bool:
    """Whatever its type says: a row that is refused may hold anything."""
    return isinstance(recipients, list | tuple | Crowd) and all(isinstance(each, str) for each in recipients)


def _without_erased(people: Sequence[str]) -> Sequence[str]:
    return tuple(each for each in people if not is_erased(each)) if any(map(is_erased, people)) else people


def _rendered_payload(rendered: Mapping[Channel, RenderedContent]) -> dict[str, Any]:
    safe = {channel: escape_traps(channel, content) for channel, content in rendered.items()}
    return {
        channel.value: {"body": content.body}
        if content.subject is None
        else {
            "subject": content.subject,
            "body": content.body,
        }
        for channel, content in safe.items()
    }
