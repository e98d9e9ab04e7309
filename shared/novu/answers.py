"""What Novu's answer means for the events it is about: by status code, then by each item's status. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from shared.novu.packing import EncodedEvent
from shared.novu.refusal_reason import reason_of_refused_item, reason_of_refused_request
from shared.novu.retry_after import retry_after_seconds
from shared.ports import FaultCode, TriggerAccepted, TriggerFault, TriggerRefused, TriggerResult, TriggerUnknown

_REFUSED = frozenset({400, 413, 422})
_CONCERNS_EVERY_REQUEST = frozenset({401, 402, 403, 429, 503})
KEY_NAME = "NOVU_SECRET_KEY"
"""The variable that holds the deployment's key; an enterprise's own is in another."""

_HINTS = {
    401: "check {key_name}, and that NOVU_API_URL is of its region",
    402: "Novu's plan is used up, or the organisation is paused: see its billing page",
    403: "{key_name} is another environment's",
    404: "check NOVU_API_URL",
}
_CODES = {402: FaultCode.NOVU_PAYMENT_REQUIRED, 429: FaultCode.NOVU_RATE}

_CLOSED = "API endpoint not available"
_CLOSED_HINT = "this Novu does not open the endpoint to API keys"

_KEY_REUSED = "is being reused for a different body"


class BulkRefused(Exception):
    """Novu refused the bulk request as a whole: one of its events is to blame, and the others are not."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One result for each event of a request, in order.

    `concerns_every_request` says that others would fare the same now: a wrong key, a rate limit, no connection.
    """

    results: list[TriggerResult]
    concerns_every_request: bool = False


def read_single(response: httpx.Response, key_name: str = KEY_NAME) -> Answered:
    """The result of a request for one event. `key_name`: the variable of the key it went with."""
    if response.is_success:
        item = _data_of(response)
        return Answered([_read_item(item)])
    if response.status_code in _REFUSED:
        answer = _json(response)
        if response.status_code == 422 and _message_of(answer).endswith(_KEY_REUSED):
            return Answered([TriggerUnknown("HTTP 422: an earlier call had another content", key_spent=True)])
        return Answered([TriggerRefused(reason_of_refused_request(response.status_code, answer))])
    return _faulted(response, 1, key_name)


def read_bulk(response: httpx.Response, events: Sequence[EncodedEvent], key_name: str = KEY_NAME) -> Answered:
    """The results of a bulk request. `key_name`: as for a single one.

    Raises:
        BulkRefused: 400, 413 or 422.
    """
    if response.is_success:
        items = _data_of(response)
        if not isinstance(items, list):
            return Answered([TriggerUnknown("unreadable answer")] * len(events))
        if len(items) != len(events):
            return Answered([TriggerUnknown(f"{len(items)} results for {len(events)} events")] * len(events))
        return Answered([_read_item(item) for item in items])
    if response.status_code in _REFUSED:
        raise BulkRefused(response.status_code)
    return _faulted(response, len(events), key_name)


def read_cancellation(response: httpx.Response, key_name: str = KEY_NAME) -> bool | TriggerFault:
    """Whether there was anything left to cancel, or why that is unknown."""
    if response.is_success:
        cancelled = _data_of(response)
        return cancelled if isinstance(cancelled, bool) else TriggerFault("unreadable answer")
    return fault_of(response, key_name)


def read_activity(response: httpx.Response) -> bool | None:
    """Whether there is an entry; None if Novu cannot say now. A Novu that never tells knows of none."""
    if response.status_code == 429 or response.is_server_error:
        return None
    return response.is_success and bool(_data_of(response))


def unanswered(error: httpx.RequestError, events: int) -> Answered:
    """Nobody knows whether Novu took the events, unless nothing has been sent."""
    reason = type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Answered([TriggerFault(reason)] * events, concerns_every_request=True)
    return Answered([TriggerUnknown(reason)] * events)


def _read_item(item: Any) -> TriggerResult:
    if not isinstance(item, Mapping) or not isinstance(item.get("status"), str):
        return TriggerUnknown("unreadable answer")
    if item["status"] == "processed":
        return TriggerAccepted()
    return TriggerRefused(reason_of_refused_item(item["status"], item.get("error")))


def _faulted(response: httpx.Response, events: int, key_name: str) -> Answered:
    if _leaves_open(response):
        unknown = TriggerUnknown(f"HTTP {response.status_code}", retry_after_seconds(response.headers))
        return Answered([unknown] * events)
    concerns_every_request = response.status_code in _CONCERNS_EVERY_REQUEST
    return Answered([fault_of(response, key_name)] * events, concerns_every_request)


def fault_of(response: httpx.Response, key_name: str = KEY_NAME) -> TriggerFault:
    """What is to be tried again, and when. `key_name`: the variable of the key that the request went with."""
    replayed = response.headers.get("idempotency-replay", "").lower() == "true"
    return TriggerFault(
        reason_of_fault(response, key_name),
        retry_after_seconds(response.headers),
        _CODES.get(response.status_code, FaultCode.NOVU_FAULT),
        key_spent=replayed or response.is_server_error,
    )


def reason_of_fault(response: httpx.Response, key_name: str = KEY_NAME) -> str:
    """The status, and what to look at; of a key the variable that holds it."""
    status = response.status_code
    hint = _CLOSED_HINT if status == 401 and _message_of(_json(response)) == _CLOSED else _HINTS.get(status)
    return f"HTTP {status}: {hint.format(key_name=key_name)}" if hint else f"HTTP {status}"


def _leaves_open(response: httpx.Response) -> bool:
    """Whether the event may have been taken: the call is under way elsewhere, or what stands before Novu says that it
    got no answer. 503 says that nobody was asked.
    """
    if response.status_code == 409:
        return True
    if not response.is_server_error or response.status_code == 503:
        return False
    answer = _json(response)
    return not (isinstance(answer, Mapping) and ("statusCode" in answer or "message" in answer))


def _message_of(answer: Any) -> str:
    message = answer.get("message") if isinstance(answer, Mapping) else None
    return message if isinstance(message, str) else ""


def _data_of(response: httpx.Response) -> Any:
    """What Novu wraps as `{"data": ...}`; None if the body is anything else."""
    answer = _json(response)
    return answer.get("data") if isinstance(answer, Mapping) else None


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None
