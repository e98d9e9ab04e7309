"""The webhook function's HTTP: Novu tells what became of a message, and is answered at once.

Whatever is signed is answered with 2xx, known or not: Novu repeats what is not, and gives an endpoint up in the end.
"""

import logging
from collections.abc import Awaitable, Callable

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.json_body import read_bounded
from functions.problems import Problem, dependency_unavailable
from functions.webhook_signatures import Signatures
from shared.novu.delivery_facts import read_event
from shared.ports import DeliveryAccounts, StoreUnavailable
from shared.telemetry.metric import Kind, Metric, counter

log = logging.getLogger("WebhookService")

EVENTS = Metric(
    "xnovu.webhook.events",
    Kind.COUNTER,
    "{event}",
    "Calls of the webhook function: `recorded`, `unknown` for one of which no account is kept here, `ignored`"
    " for what says nothing of a message, `refused` for a wrong signature, `failed` where the database did not answer.",
    ("xnovu.result",),
)
METRICS = (EVENTS,)

_events = counter(EVENTS)


class WebhookEndpoint:
    """POST, for whoever has the secret."""

    def __init__(self, signatures: Signatures, open_accounts: Callable[[], Awaitable[DeliveryAccounts]]) -> None:
        self._signatures = signatures
        self._open_accounts = open_accounts

    async def post(self, request: Request) -> Response:
        """Take one event. Taking it twice, late or before its like is harmless."""
        body = await read_bounded(request)
        try:
            self._signatures.check(request.headers, body)
        except Problem:
            _events.add(1, {"xnovu.result": "refused"})
            raise
        try:
            fact = read_event(from_json(body, allow_inf_nan=False))
        except ValueError:
            fact = None
        if fact is None:
            return _answer("ignored")
        accounts = await self._open_accounts()
        try:
            recorded = await accounts.record([fact])
        except StoreUnavailable as error:
            _events.add(1, {"xnovu.result": "failed"})
            log.warning("dependency_failed", extra={"dependency": "supabase", "reason": str(error)})
            raise dependency_unavailable("supabase", "the database does not answer") from None
        return _answer("unknown" if recorded.unknown_transactions else "recorded")


def _answer(result: str) -> Response:
    _events.add(1, {"xnovu.result": result})
    return JSONResponse({"result": result})
