"""The inbox at `/`: the latest messages, as a person can look at them. Nothing in a message can act on the page."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from stack.novu_sink.event_rules import valid_recipients
from stack.novu_sink.journal import PROCESSED, Call, Journal

_MESSAGES = 50
_RECIPIENTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ChannelContent:
    """What a person gets through one channel. Only an e-mail's body is HTML; its frame runs nothing."""

    channel: str
    subject: str | None
    body: str

    @property
    def is_html(self) -> bool:
        return self.channel == "EMAIL"


@dataclass(frozen=True, slots=True)
class Message:
    """One event, ready to be shown: rendered channels, or the payload that Novu would render."""

    workflow: str
    transaction_id: str
    verdict: str
    error: str | None
    received_at: datetime
    recipients: list[str]
    channels: list[ChannelContent]
    payload: str

    @property
    def recipients_shown(self) -> list[str]:
        return self.recipients[:_RECIPIENTS_SHOWN]

    @property
    def recipients_hidden(self) -> int:
        return max(len(self.recipients) - _RECIPIENTS_SHOWN, 0)


class Inbox:
    """Renders the page anew for every visit; the page asks for itself again every two seconds."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        environment = Environment(
            loader=PackageLoader("stack.novu_sink"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._page = environment.get_template("inbox.html")

    def routes(self) -> list[Route]:
        return [Route("/", self.show)]

    async def show(self, request: Request) -> Response:
        """The latest messages, of one `workflow` or to one `subscriber` if the query names them."""
        workflow = request.query_params.get("workflow") or None
        subscriber = request.query_params.get("subscriber", "").strip()
        calls = self._journal.calls(workflow=workflow, newest_first=True)
        messages = (self._message(call) for call in calls)
        wanted = (message for message in messages if not subscriber or subscriber in message.recipients)
        nonce = secrets.token_urlsafe(16)
        page = self._page.render(
            messages=list(islice(wanted, _MESSAGES)),
            messages_limit=_MESSAGES,
            summary=self._journal.summary(),
            workflow=workflow,
            subscriber=subscriber,
            nonce=nonce,
        )
        # Half a surrogate pair is valid JSON and no valid text.
        content = page.encode(errors="replace")
        return HTMLResponse(content, headers={"Content-Security-Policy": _policy(nonce), "Cache-Control": "no-store"})

    def _message(self, call: Call) -> Message:
        event = call.event
        content = call.content if isinstance(call.content, Mapping) else {}
        payload = content.get("payload") or {}
        verdict = event.status
        if event.duplicate:
            verdict = "duplicate"
        elif event.status == PROCESSED and self._journal.is_cancelled(event.transaction_id):
            verdict = "cancelled"
        return Message(
            workflow=event.workflow,
            transaction_id=event.transaction_id,
            verdict=verdict,
            error="; ".join(event.error) if event.error else None,
            received_at=datetime.fromtimestamp(call.request.received_at_ns / 1e9, UTC),
            recipients=valid_recipients(content.get("to")),
            channels=_channels(payload),
            payload=json.dumps(payload, indent=2, ensure_ascii=False),
        )


def _channels(payload: Any) -> list[ChannelContent]:
    rendered = payload.get("rendered") if isinstance(payload, Mapping) else None
    if not isinstance(rendered, Mapping):
        return []
    return [
        ChannelContent(channel, _text(content.get("subject")), _text(content.get("body")) or "")
        for channel, content in rendered.items()
        if isinstance(content, Mapping)
    ]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _policy(nonce: str) -> str:
    """Nothing is loaded from anywhere, and no script runs but the page's own: the frames of e-mails inherit this."""
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        f"script-src 'nonce-{nonce}'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
