"""Each await between us and Novu meets a foreign exception in turn: it costs that call, the next one is answered."""

import gzip
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import httpx
import pytest

from shared.notification.recipient import ProviderCredentials, Recipient
from shared.novu.subscribers import open_subscribers
from shared.novu.trigger import open_trigger
from shared.ports import NotificationActivity, OwnSettings, TriggerAccepted, TriggerEvent
from tests.faults.await_points import await_points
from tests.faults.injector import Foreign, raising_once_at_each
from worker.novu_accounts import NovuAccount, NovuAccounts
from worker.turns import Turns

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

POINTS = await_points(
    "shared.bounded_answers", "shared.novu.subscribers", "shared.novu.trigger", "worker.novu_accounts"
)
ADA = Recipient("ada", {"email": "ada@example.org"}, (ProviderCredentials("fcm", {"deviceTokens": ["t"]}),), "hash")


NOVU = "http://novu.example"
Client = httpx.AsyncClient


class Novu(httpx.AsyncBaseTransport):
    """Packs every second answer, knows nobody before he was made, and refuses every bulk request of five events."""

    def __init__(self) -> None:
        self.subscribers: set[str] = set()
        self.answers = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, body = self._answer(request, json.loads(request.content or b"null"))
        content, self.answers = json.dumps(body).encode(), self.answers + 1
        if self.answers % 2:
            return httpx.Response(status, stream=Arriving(content))
        return httpx.Response(status, headers={"Content-Encoding": "gzip"}, stream=Arriving(gzip.compress(content)))

    def _answer(self, request: httpx.Request, asked: Any) -> tuple[int, object]:
        taken = {"acknowledged": True, "status": "processed"}
        match request.method, request.url.path:
            case "POST", "/v2/subscribers":
                self.subscribers.add(asked["subscriberId"])
                return 201, {"data": {}}
            case "GET", "/v1/notifications":
                return 200, {"data": [{}]}
            case "GET" | "PUT", path:
                return (200 if any(each in path for each in self.subscribers) else 404), {"data": {}}
            case "DELETE", _:
                return 200, {"data": True}
            case "POST", "/v1/events/trigger/bulk":
                events = asked["events"]
                return (400, {}) if len(events) == 5 else (201, {"data": [taken for _ in events]})
            case _:
                return 201, {"data": taken}


class Arriving(httpx.AsyncByteStream):
    """Content that comes in two pieces."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        half = len(self._content) // 2
        yield self._content[:half]
        yield self._content[half:]


async def ask_everything() -> None:
    """A few events, one by one; four in one request; five in one that is refused; then what else there is to ask."""
    async with (
        open_trigger(NOVU, "key") as novu,
        open_subscribers(NOVU, "key") as people,
    ):
        for count in (2, 4, 5):
            events = [TriggerEvent("welcome", ("ada",), {}, {}, f"xnovu.acme.{number}") for number in range(count)]
            assert await novu.trigger(events) == [TriggerAccepted()] * count
        turns = Turns(lambda: None, lambda: None, large_at_once=1)
        account = NovuAccount(novu, novu, novu, people, cast(NotificationActivity, None), turns)
        settings = OwnSettings(novu_key_name="NOVU_SECRET_KEY__ACME", novu_key_before="")
        accounts = NovuAccounts(account, {"NOVU_SECRET_KEY__ACME": account}, lambda _: settings)
        event = TriggerEvent("welcome", ("ada",), {}, {}, "xnovu.acme.9", "acme")
        assert await accounts.trigger([event]) == [TriggerAccepted()]
        assert await accounts.taken("acme").was_taken("xnovu.acme.1")
        assert await accounts.cancelling("acme").cancel("xnovu.acme.1")
        assert await people.give_credentials(ADA) == TriggerAccepted()
        assert await people.read("ada") == {}


async def test_an_await_of_the_way_to_novu_that_fails_costs_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    with raising_once_at_each(POINTS) as fired:
        for _ in POINTS:
            calls += 1
            monkeypatch.setattr("httpx.AsyncClient", partial(Client, transport=Novu()))
            try:
                await ask_everything()
            except Foreign:
                continue
            break

    assert not [str(point) for point in POINTS if point not in fired], "the scene does not come here"
    await ask_everything()
