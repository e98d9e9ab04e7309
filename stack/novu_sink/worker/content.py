"""A channel's subject and body, of rendered controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stack.novu_sink.account import Account
from stack.novu_sink.worker.email_body import email_html, sanitised
from stack.novu_sink.worker.rendering import RenderingFailed

_SANITISED = frozenset({"email", "in_app"})


@dataclass(frozen=True, slots=True)
class Content:
    """What the person is shown."""

    subject: str | None
    body: str


def content_of(channel: str, controls: Mapping[str, Any], context: Mapping[str, Any], account: Account) -> Content:
    """The message's content.

    Raises:
        RenderingFailed: a subject is empty that must not be, or the body fails its second rendering.
    """
    sanitise = channel in _SANITISED and controls.get("disableOutputSanitization") is not True
    subject = _text(controls.get("subject"))
    body = _text(controls.get("body")) or ""
    if account.settings.generation != "2024":
        _require_subject(channel, subject)
    if subject is not None and sanitise:
        subject = sanitised(subject)
    if channel == "email":
        return Content(subject, email_html(body, context, sanitise=sanitise, branding=account.plan.branding))
    return Content(subject, sanitised(body) if sanitise else body)


def _require_subject(channel: str, subject: str | None) -> None:
    if (channel == "email" and not subject) or (channel == "in_app" and subject == ""):
        raise RenderingFailed(f"{channel}: subject must NOT have fewer than 1 characters")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
