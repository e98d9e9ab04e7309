"""All the channels of one notification, rendered together: they are sent together, or not at all.

Before that its payload is held to its workflow's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.notification.models import Channel, NovuWorkflow, Template
from shared.notification.outcomes import Refusal
from worker.rendering.payload_schema import find_violation
from worker.rendering.refusals import RenderRefused
from worker.rendering.renderer import RenderedContent, render_channel, resolve_template


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One notification's content to render: the workflow's template for each of `channels`, with `payload`.

    `enterprise_id` is whose row it is, and who bears what it costs. `templates` holds, by key, all that the workflow's
    templates may include. `explain` asks what the sanitisers take, for a preview.
    """

    enterprise_id: str
    workflow: NovuWorkflow
    channels: tuple[Channel, ...]
    templates: Mapping[str, Template]
    payload: Mapping[str, Any]
    explain: bool = False


@dataclass(frozen=True, slots=True)
class RenderDelayed:
    """Nothing was rendered and nothing is refused: what is like it has cost too much lately. Ask again in so many
    seconds, when it gets its turn.
    """

    seconds: float


RenderResult = dict[Channel, RenderedContent] | Refusal | RenderDelayed


def render_request(request: RenderRequest) -> dict[Channel, RenderedContent] | Refusal:
    """The content of every channel, or the first refusal."""
    workflow = request.workflow
    if workflow.payload_schema is not None and (
        violation := find_violation(workflow.key, workflow.payload_schema, request.payload)
    ):
        return violation
    contents = {}
    try:
        for channel in request.channels:
            template = resolve_template(request.workflow, channel, request.templates)
            contents[channel] = render_channel(
                channel, template, request.templates, request.payload, explain=request.explain
            )
    except RenderRefused as refused:
        return refused.refusal
    return contents
