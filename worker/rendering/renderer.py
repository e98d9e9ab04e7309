"""Renders one channel's template: Liquid, then what the channel may carry, then its limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from liquid.exceptions import LiquidError

from shared.notification.models import Channel, NovuWorkflow, Template
from shared.notification.outcomes import RefusalCode
from worker.rendering.budget import Budget, LimitExceeded
from worker.rendering.channel_limits import SUBJECT_CHARACTERS, ChannelLimits, limits_for
from worker.rendering.chat_text import sanitize_chat
from worker.rendering.context import OutputBuffer, PlainDataContext, Rendering
from worker.rendering.environments import HTML_PARSER, TEXT_PARSER
from worker.rendering.html_sanitizing import sanitize_email, sanitize_inapp
from worker.rendering.plain_text import sanitize_push, sanitize_sms
from worker.rendering.refusals import refusal_for, refuse
from worker.rendering.removals import Removal, removals
from worker.rendering.sms_segments import count_segments
from worker.rendering.subject import clean_subject, split_subject
from worker.rendering.template_errors import DATA_FAULTS

_SANITIZERS = {
    Channel.EMAIL: sanitize_email,
    Channel.IN_APP: sanitize_inapp,
    Channel.SMS: sanitize_sms,
    Channel.PUSH: sanitize_push,
    Channel.CHAT: sanitize_chat,
}


@dataclass(frozen=True, slots=True)
class RenderedContent:
    """What one channel sends: sanitised and within its limits. `segments` counts an SMS's, and is None elsewhere.

    `removed` is what the sanitiser took, where the request asks for it.
    """

    subject: str | None
    body: str
    segments: int | None = None
    removed: tuple[Removal, ...] = ()


def resolve_template(workflow: NovuWorkflow, channel: Channel, templates: Mapping[str, Template]) -> Template:
    """The template the workflow names for the channel, by key or id. Raises RenderRefused."""
    reference = workflow.template_references.get(channel)
    if reference is None:
        raise refuse(
            RefusalCode.TEMPLATE_NOT_FOUND,
            f"Workflow {workflow.key} names no template for channel {channel}",
            workflow=workflow.key,
            channel=channel.value,
        )
    by_id = (template for template in templates.values() if str(template.id) == reference)
    template = templates.get(reference) or next(by_id, None)
    if template is None:
        raise refuse(
            RefusalCode.TEMPLATE_NOT_FOUND,
            f"Workflow {workflow.key} names template {reference} for {channel}, which is not there or not active",
            workflow=workflow.key,
            channel=channel.value,
            template=reference,
        )
    if template.channel != channel:
        raise refuse(
            RefusalCode.TEMPLATE_WRONG_CHANNEL,
            f"Workflow {workflow.key} names template {template.key} for {channel}, but it is for {template.channel}",
            workflow=workflow.key,
            channel=channel.value,
            template=template.key,
        )
    return template


def render_channel(
    channel: Channel,
    template: Template,
    templates: Mapping[str, Template],
    variables: Mapping[str, Any],
    *,
    explain: bool = False,
) -> RenderedContent:
    """Render subject and body of `template`, which may include any of `templates`.

    The payload's members are the variables; the payload is there whole as `payload` too, unless it has a member of
    that name. `explain` has the content say what the sanitiser took. Raises RenderRefused, never with text of the
    template or of the payload.
    """
    limits = limits_for(channel)
    parser = HTML_PARSER if limits.is_html else TEXT_PARSER
    values = {"payload": variables, **variables}
    budget = Budget()
    chain = [template.key]
    try:
        subject = None
        if template.subject is not None and template.subject.strip():
            subject = _write(template.subject, values, Rendering(templates, limits, chain, TEXT_PARSER.parse, budget))
        text = _write(template.body, values, Rendering(templates, limits, chain, parser.parse, budget))
        content = _finish(channel, limits, subject, text)
        return replace(content, removed=removals(channel, template.body, text)) if explain else content
    except LiquidError as error:
        raise refusal_for(error, template.key, chain) from error
    except DATA_FAULTS as error:
        raise refuse(
            RefusalCode.TEMPLATE_INVALID,
            f"Template {template.key}: a value cannot be written as text",
            template=template.key,
        ) from error
    except RecursionError as error:
        raise refusal_for(LimitExceeded("nesting"), template.key, chain) from error


def _write(source: str, values: Mapping[str, Any], rendering: Rendering) -> str:
    parsed = rendering.parse(source)
    context = PlainDataContext(parsed.template, globals=values)
    context.rendering = rendering
    rendering.budget.spend(parsed.cost)
    buffer = OutputBuffer(rendering, rendering.limits.raw_size)
    parsed.template.render_with_context(context, buffer)
    return buffer.getvalue()


def _finish(channel: Channel, limits: ChannelLimits, subject: str | None, text: str) -> RenderedContent:
    if channel == Channel.EMAIL and subject is None:
        subject, text = split_subject(text)
    body = _SANITIZERS.get(channel, sanitize_inapp)(text)
    subject = None if subject is None else clean_subject(subject)
    if subject is not None and len(subject) > SUBJECT_CHARACTERS:
        raise LimitExceeded("subject_characters")
    if len(body.encode()) > limits.body_bytes:
        raise LimitExceeded("body_bytes")
    if limits.body_characters is not None and len(body) > limits.body_characters:
        raise LimitExceeded("body_characters")
    return RenderedContent(subject, body, count_segments(body) if channel == Channel.SMS else None)
