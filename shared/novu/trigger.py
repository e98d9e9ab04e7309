"""`NovuTrigger`: sends events to Novu in as few calls as its limits allow, and reports each one's fate."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx

from shared.bounded_answers import bound_answers
from shared.notification.outcomes import RefusalCode
from shared.novu import measured
from shared.novu.answers import BulkRefused, read_bulk, read_cancellation, read_single, unanswered
from shared.novu.outage import Outage
from shared.novu.packing import EncodedEvent, NotJson, bulk_body, encode, pack
from shared.ports import CancelFailed, TriggerEvent, TriggerFault, TriggerRefused, TriggerResult

REQUEST_TIMEOUT = httpx.Timeout(15.0, connect=5.0)

LONGEST_ANSWER_BYTES = 1024 * 1024
"""Novu says some hundred bytes about an event, of which a request has at most 100."""

SINGLE_CALLS_AT_ONCE = 8

BULK_PAYS_FROM = 3
"""A bulk request costs 100 of Novu's rate limit tokens whatever its size, a single one costs one."""

_TRIGGER_PATH = "/v1/events/trigger"
_BULK_PATH = "/v1/events/trigger/bulk"
_JSON = {"Content-Type": "application/json"}


class NovuTrigger:
    """Port `NotificationTrigger` on Novu's HTTP interface.

    It never repeats a request: Temporal does. Repeating is harmless, because Novu ignores a transaction id that it
    has seen. No Idempotency-Key is sent: where Novu enables it, a key used again replays a 5xx for a day.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        """`client` carries the base URL, the key and the time-outs (see `open_trigger`)."""
        self._client = client

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """Trigger the events; one result for each, in order. Never raises."""
        results: dict[int, TriggerResult] = {}
        sendable: list[EncodedEvent] = []
        for position, event in enumerate(events):
            try:
                encoded = encode(position, event)
            except NotJson:
                results[position] = TriggerRefused("payload is not JSON", RefusalCode.PAYLOAD_INVALID)
                continue
            if encoded.is_too_large:
                results[position] = TriggerRefused("payload too large", RefusalCode.PAYLOAD_TOO_LARGE)
            else:
                sendable.append(encoded)
        outage = Outage()
        for group in pack(sendable):
            answers = await self._send(group, outage)
            results |= {event.position: result for event, result in zip(group, answers, strict=True)}
        return [results[position] for position in range(len(events))]

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel what Novu still holds back (delays, digests) of a triggered event; False if there was nothing.

        Raises:
            CancelFailed: Novu could not be asked; asking again is harmless.
        """
        try:
            with measured.request("DELETE", f"{_TRIGGER_PATH}/{{transaction_id}}") as note:
                response = note(await self._client.delete(f"{_TRIGGER_PATH}/{quote(transaction_id, safe='')}"))
        except httpx.RequestError as error:
            raise CancelFailed(TriggerFault(type(error).__name__)) from None
        cancelled = read_cancellation(response)
        if isinstance(cancelled, TriggerFault):
            raise CancelFailed(cancelled)
        return cancelled

    async def _send(self, group: Sequence[EncodedEvent], outage: Outage) -> list[TriggerResult]:
        if outage.fault:
            return [outage.fault] * len(group)
        if len(group) < BULK_PAYS_FROM:
            return await self._send_singly(group, outage)
        try:
            answered = read_bulk(await self._post(_BULK_PATH, bulk_body(group)), group)
        except httpx.RequestError as error:
            answered = unanswered(error, len(group))
        except BulkRefused:
            return await self._send_singly(group, outage)
        return outage.observe(answered)

    async def _send_singly(self, group: Sequence[EncodedEvent], outage: Outage) -> list[TriggerResult]:
        """A call for each event, a few at a time; in an outage, none is begun."""
        places = asyncio.Semaphore(SINGLE_CALLS_AT_ONCE)

        async def send(event: EncodedEvent) -> TriggerResult:
            async with places:
                if outage.fault:
                    return outage.fault
                try:
                    answered = read_single(await self._post(_TRIGGER_PATH, event.body))
                except httpx.RequestError as error:
                    answered = unanswered(error, 1)
                return outage.observe(answered)[0]

        return await asyncio.gather(*(send(event) for event in group))

    async def _post(self, path: str, body: bytes) -> httpx.Response:
        with measured.request("POST", path) as note:
            return note(await self._client.post(path, content=body, headers=_JSON))


@asynccontextmanager
async def open_trigger(api_url: str, secret_key: str) -> AsyncIterator[NovuTrigger]:
    """A trigger with a connection pool of its own, closed at the end of the block. Nothing is sent yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Authorization": f"ApiKey {secret_key}", "Accept": "application/json"},
        timeout=REQUEST_TIMEOUT,
        limits=httpx.Limits(max_connections=50, keepalive_expiry=30.0),
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        yield NovuTrigger(client)
