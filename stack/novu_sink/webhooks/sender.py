"""Sends events to the address that is set, and repeats each of them until it is answered with 2xx."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from stack.novu_sink.account import Account, Environment
from stack.novu_sink.activity.store import Message
from stack.novu_sink.webhooks.events import message_event, workflow_event
from stack.novu_sink.webhooks.signing import signed_headers

_AT_ONCE = 20
_REORDERED_BY_SECONDS = 2.0


@dataclass(slots=True)
class Delivery:
    """One event and its attempts. State: waiting, delivered, given_up, lost."""

    event_id: str
    kind: str
    body: bytes
    attempts: list[dict[str, Any]] = field(default_factory=list)
    state: str = "waiting"


class Webhooks:
    """One endpoint for the whole organisation."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._chance = Random(account.settings.seed)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None
        self._failing_since: float | None = None
        self.deliveries: list[Delivery] = []
        self.silent = False
        """Nothing is told: what happens was told before, by the process that this one continues."""

    def tell(self, environment: Environment, kind: str, message: Message, error: str | None, at: float) -> None:
        """Of one message."""
        if self._is_on():
            self._send(message_event(environment, kind, message, error, at))

    def tell_of_workflow(
        self, environment: Environment, kind: str, workflow: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> None:
        """Of one workflow."""
        if self._is_on():
            self._send(workflow_event(environment, kind, workflow, before, time.time()))

    def forget(self) -> None:
        """Give up whatever is on its way."""
        for task in self._tasks:
            task.cancel()
        self.deliveries.clear()
        self._failing_since = None

    async def close(self) -> None:
        self.forget()
        if self._http is not None:
            await self._http.aclose()

    def as_json(self) -> list[dict[str, Any]]:
        """Every event and what became of it."""
        return [
            {"id": one.event_id, "type": one.kind, "state": one.state, "attempts": one.attempts}
            for one in self.deliveries
        ]

    def _is_on(self) -> bool:
        settings = self._account.settings.webhooks
        failing = self._failing_since
        disabled = failing is not None and time.time() - failing > settings.disabled_after_seconds
        return settings.url is not None and not self.silent and not disabled

    def _send(self, event: dict[str, Any]) -> None:
        settings = self._account.settings.webhooks
        delivery = Delivery(event["id"], event["type"], json.dumps(event, separators=(",", ":")).encode())
        self.deliveries.append(delivery)
        if self._chance.random() < settings.lose_share:
            delivery.state = "lost"
            return
        copies = 2 if self._chance.random() < settings.duplicate_share else 1
        late = self._chance.random() < settings.reorder_share
        for _ in range(copies):
            pause = self._chance.uniform(0, _REORDERED_BY_SECONDS) if late else 0.0
            task = asyncio.get_running_loop().create_task(self._deliver(delivery, pause))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, pause_seconds: float) -> None:
        await asyncio.sleep(pause_seconds)
        for seconds in self._account.settings.webhooks.retry_seconds:
            await asyncio.sleep(seconds)
            async with self._places:
                if await self._attempt(delivery):
                    delivery.state = "delivered"
                    self._failing_since = None
                    return
            self._failing_since = self._failing_since or time.time()
        if delivery.state == "waiting":
            delivery.state = "given_up"

    async def _attempt(self, delivery: Delivery) -> bool:
        settings = self._account.settings.webhooks
        if settings.url is None:
            return False
        now = time.time()
        headers = signed_headers(settings.secret, delivery.event_id, int(now), delivery.body)
        self._http = self._http or httpx.AsyncClient(trust_env=False, verify=False)
        try:
            timeout = settings.timeout_seconds
            answer = await self._http.post(settings.url, content=delivery.body, headers=headers, timeout=timeout)
        except httpx.RequestError as error:
            delivery.attempts.append({"at": now, "status": None, "error": type(error).__name__})
            return False
        delivery.attempts.append({"at": now, "status": answer.status_code})
        return answer.is_success
