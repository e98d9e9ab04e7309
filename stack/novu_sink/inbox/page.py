"""The inbox at `/`: the latest messages, as a person can look at them. Nothing in a message can act on the page."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import islice

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from stack.novu_sink.account import Account
from stack.novu_sink.control.journal import Journal
from stack.novu_sink.inbox.entries import Entry, newest_entries, newest_losses
from stack.novu_sink.integrations import CHANNELS
from stack.novu_sink.worker.worker import Worker

_IN_APP_STYLE = "<style>body { margin: .5rem; font: 15px/1.5 system-ui, sans-serif }</style>"

_MESSAGES = 50
_LOST = 20


class Inbox:
    """Renders the page anew for every visit; the page asks for itself again every two seconds."""

    def __init__(self, account: Account, journal: Journal, worker: Worker) -> None:
        self._account = account
        self._journal = journal
        self._worker = worker
        environment = Environment(
            loader=PackageLoader("stack.novu_sink.inbox"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.globals["in_app_style"] = _IN_APP_STYLE
        self._page = environment.get_template("inbox.html")

    def routes(self) -> list[Route]:
        return [Route("/", self.show)]

    async def show(self, request: Request) -> Response:
        """The latest messages, of one `workflow`, `subscriber` or `channel` if the query names them."""
        await self._worker.present()
        query = request.query_params
        chosen = {name: query.get(name, "").strip() for name in ("workflow", "subscriber", "channel")}
        nonce = secrets.token_urlsafe(16)
        losses = newest_losses(self._account, self._journal)
        page = self._page.render(
            messages=list(islice(self._chosen(**chosen), _MESSAGES)),
            messages_limit=_MESSAGES,
            lost=[one for one in losses if chosen["workflow"] in ("", one.workflow)][:_LOST],
            lost_count=len(losses),
            summary={**self._journal.summary(), "waiting": self._worker.waiting()},
            channels=CHANNELS,
            chosen=chosen,
            trace_url=self._account.settings.trace_url,
            nonce=nonce,
        )
        # Half a surrogate pair is valid JSON and no valid text.
        content = page.encode(errors="replace")
        return HTMLResponse(content, headers={"Content-Security-Policy": _policy(nonce), "Cache-Control": "no-store"})

    def _chosen(self, workflow: str, subscriber: str, channel: str) -> Iterator[Entry]:
        for entry in newest_entries(self._account):
            if workflow in ("", entry.workflow) and subscriber in ("", entry.person) and channel in ("", entry.channel):
                yield entry


def _policy(nonce: str) -> str:
    """Nothing is loaded from anywhere, and no script runs but the page's own: the frames of emails inherit this."""
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        f"script-src 'nonce-{nonce}'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
