"""`NovuTrigger`: sends events to Novu in as few calls as its limits allow, and reports each one's fate."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx

from shared.bounded_answers import bound_answers
from shared.keys import Key, novu_auth
from shared.notification.outcomes import RefusalCode
from shared.novu import measured
from shared.novu.answers import (
    KEY_NAME,
    BulkRefused,
    read_activity,
    read_bulk,
    read_cancellation,
    read_single,
    unanswered,
)
from shared.novu.idempotency import HEADER, IdempotencyKeys
from shared.novu.outage import Outage
from shared.novu.packing import EncodedEvent, NotJson, bulk_body, encode, pack
from shared.novu.rates import UNMETERED
from shared.novu.rates.keeper import BULK_COST
from shared.novu.rates.lanes import lane_of
from shared.ports import (
    CancelFailed,
    NovuRates,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
)

REQUEST_TIMEOUT_SECONDS = 60.0
"""Until an answer is given up: long, because what becomes of a call without an answer nobody knows."""

CONNECT_TIMEOUT_SECONDS = 5.0

POOL_TIMEOUT_SECONDS = 300.0
"""For one of our own connections, however many deliveries wait: that says nothing of Novu, and claims are renewed."""

LONGEST_ANSWER_BYTES = 1024 * 1024
"""Novu says some hundred bytes about an event, of which a request has at most 100."""

SINGLE_CALLS_AT_ONCE = 8
"""Of one delivery."""

CALLS_AT_ONCE = 16
"""Of all deliveries; the others wait here, in order. httpcore looks at every connection, and at every request that
waits for one, whenever a request ends: 2,000 calls take 5.5 s of processor time 16 at once, 12 s 40 at once, and 32 s
where 1,600 wait for 50 connections.
"""

CONNECTIONS = CALLS_AT_ONCE + 8
"""The others are for cancellations, and for questions after doubtful calls."""

PATIENCE_SECONDS = 10.0
"""For so long the events of one call wait for tokens; those that have none by then are put off."""

_TRIGGER_PATH = "/v1/events/trigger"
_BULK_PATH = "/v1/events/trigger/bulk"
_ACTIVITY_PATH = "/v1/notifications"
_JSON = {"Content-Type": "application/json"}


class _Turn:
    """Tokens for the events of one call, for which it waits so long in all. An enterprise that has been put off once is
    put off for the whole call, and no other with it.
    """

    def __init__(self, rates: NovuRates, events: Iterable[TriggerEvent], patience_seconds: float) -> None:
        self._rates = rates
        self._of_each = Counter(event.enterprise_id for event in events)
        self._put_off: dict[str, TriggerFault] = {}
        self._until = time.monotonic() + patience_seconds

    async def take(self, events: Iterable[TriggerEvent], cost: int) -> TriggerFault | None:
        """Why a request with these events is put off; None: it may be sent. Of several enterprises' it is the turn of
        the one that has the fewest here: it waits behind no other's bulk.
        """
        whose = min((event.enterprise_id for event in events), key=self._of_each.__getitem__)
        if whose not in self._put_off:
            lane = lane_of(whose, self._of_each[whose])
            left_seconds = max(self._until - time.monotonic(), 0.0)
            put_off = await self._rates.take("trigger", lane, cost=cost, within_seconds=left_seconds)
            if put_off is None:
                return None
            self._put_off.setdefault(whose, put_off.fault())
        return self._put_off[whose]


class NovuTrigger:
    """Port `NotificationTrigger` on Novu's HTTP interface.

    It never repeats a request: whoever calls it does, and knows what a lost answer means
    (docs/decisions/0050-once.md). Calls bear an `Idempotency-Key`.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        keys: IdempotencyKeys,
        rates: NovuRates = UNMETERED,
        *,
        key_name: str = KEY_NAME,
        singly: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`client` carries the base URL, the key and the time-outs (see `open_trigger`). `key_name`: the variable that
        holds the key, for faults that are about it. `singly`: no bulk calls.
        """
        self._client = client
        self._keys = keys
        self._rates = rates
        self._key_name = key_name
        self._singly = singly
        self._patience_seconds = patience_seconds
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)

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
        turn = _Turn(self._rates, (encoded.event for encoded in sendable), self._patience_seconds)
        for group in pack(sendable):
            answers = await self._send(group, outage, turn)
            results |= {event.position: result for event, result in zip(group, answers, strict=True)}
        return [results[position] for position in range(len(events))]

    async def cancel(self, transaction_id: str) -> bool:
        """Cancel what Novu still holds back (delays, digests) of a triggered event; False if there was nothing.

        Raises:
            CancelFailed: Novu could not be asked; asking again is harmless.
        """
        put_off = await self._rates.take("trigger", "cancellations", within_seconds=self._patience_seconds)
        if put_off is not None:
            raise CancelFailed(put_off.fault())
        try:
            with measured.request("DELETE", f"{_TRIGGER_PATH}/{{transaction_id}}") as note:
                response = note(await self._client.delete(f"{_TRIGGER_PATH}/{quote(transaction_id, safe='')}"))
            await self._rates.heed("trigger", response.status_code, response.headers)
        except httpx.RequestError as error:
            raise CancelFailed(TriggerFault(type(error).__name__)) from None
        cancelled = read_cancellation(response, self._key_name)
        if isinstance(cancelled, TriggerFault):
            raise CancelFailed(cancelled)
        return cancelled

    async def was_taken(self, transaction_id: str) -> bool | None:
        """Whether Novu's worker has taken the event up, for any of its recipients; None: Novu cannot be asked now."""
        if await self._rates.take("global", "doubts", within_seconds=self._patience_seconds) is not None:
            return None
        try:
            with measured.request("GET", _ACTIVITY_PATH) as note:
                query = httpx.QueryParams({"transactionId": transaction_id, "page": 0, "limit": 1})
                response = note(await self._client.get(_ACTIVITY_PATH, params=query))
            await self._rates.heed("global", response.status_code, response.headers)
        except httpx.RequestError:
            return None
        return read_activity(response)

    async def _send(self, group: Sequence[EncodedEvent], outage: Outage, turn: _Turn) -> list[TriggerResult]:
        if outage.fault:
            return [outage.fault] * len(group)
        if self._singly or len(group) < self._rates.bulk_from("trigger"):
            return await self._send_singly(group, outage, turn)
        if put_off := await turn.take((encoded.event for encoded in group), BULK_COST):
            return [put_off] * len(group)
        try:
            body = bulk_body(group)
            key = self._keys.of_bulk([encoded.event for encoded in group], body)
            answered = read_bulk(await self._post(_BULK_PATH, body, key), group, self._key_name)
        except httpx.RequestError as error:
            answered = unanswered(error, len(group))
        except BulkRefused:
            return await self._send_singly(group, outage, turn)
        return outage.observe(answered)

    async def _send_singly(self, group: Sequence[EncodedEvent], outage: Outage, turn: _Turn) -> list[TriggerResult]:
        """A call for each event, a few at a time; in an outage, none is begun."""
        places = asyncio.Semaphore(SINGLE_CALLS_AT_ONCE)

        async def send(event: EncodedEvent) -> TriggerResult:
            async with places:
                if outage.fault is None and (put_off := await turn.take([event.event], 1)):
                    return outage.fault or put_off
                if outage.fault:
                    return outage.fault
                try:
                    response = await self._post(_TRIGGER_PATH, event.body, self._keys.of_event(event.event))
                    answered = read_single(response, self._key_name)
                except httpx.RequestError as error:
                    answered = unanswered(error, 1)
                return outage.observe(answered)[0]

        return await asyncio.gather(*(send(event) for event in group))

    async def _post(self, path: str, body: bytes, key: str) -> httpx.Response:
        async with self._calls:
            with measured.request("POST", path) as note:
                response = note(await self._client.post(path, content=body, headers={**_JSON, HEADER: key}))
        await self._rates.heed("trigger", response.status_code, response.headers)
        return response


@asynccontextmanager
async def open_trigger(
    api_url: str,
    key: Key | str,
    rates: NovuRates = UNMETERED,
    *,
    key_name: str = KEY_NAME,
    timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    singly: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
) -> AsyncIterator[NovuTrigger]:
    """A trigger with a connection pool of its own, closed at the end of the block. Nothing is sent yet."""
    async with httpx.AsyncClient(
        base_url=api_url,
        headers={"Accept": "application/json"},
        auth=novu_auth(key),
        timeout=httpx.Timeout(
            timeout_seconds, connect=min(timeout_seconds, CONNECT_TIMEOUT_SECONDS), pool=POOL_TIMEOUT_SECONDS
        ),
        limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=30.0),
    ) as client:
        bound_answers(client, LONGEST_ANSWER_BYTES)
        keys = IdempotencyKeys(key.current if isinstance(key, Key) else key)
        yield NovuTrigger(client, keys, rates, key_name=key_name, singly=singly, patience_seconds=patience_seconds)
