"""Builds templates and renders them; a test states only what matters."""

from collections.abc import Mapping
from typing import Any

from shared.notification.models import Channel, Template
from shared.notification.outcomes import Refusal
from worker.rendering.refusals import RenderRefused
from worker.rendering.renderer import RenderedContent, render_channel


def a_template(
    body: str, *, key: str = "welcome", channel: Channel = Channel.EMAIL, subject: str | None = None, row_id: int = 1
) -> Template:
    return Template(row_id, key, channel, subject, body)


def render(
    body: str,
    variables: Mapping[str, Any] | None = None,
    *,
    channel: Channel = Channel.EMAIL,
    subject: str | None = None,
    included: Mapping[str, str] | None = None,
) -> RenderedContent:
    """Render template `welcome`; `included` gives the bodies of others by key."""
    templates = {key: a_template(text, key=key, channel=channel) for key, text in (included or {}).items()}
    return render_channel(
        channel, a_template(body, channel=channel, subject=subject), templates, {} if variables is None else variables
    )


def refusal(
    body: str,
    variables: Mapping[str, Any] | None = None,
    *,
    channel: Channel = Channel.EMAIL,
    subject: str | None = None,
    included: Mapping[str, str] | None = None,
) -> Refusal:
    """The refusal that rendering ends in; fails the test when it ends in content."""
    try:
        content = render(body, variables, channel=channel, subject=subject, included=included)
    except RenderRefused as refused:
        return refused.refusal
    raise AssertionError(f"not refused, but rendered: {content}")
