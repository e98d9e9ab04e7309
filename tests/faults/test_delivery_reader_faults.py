"""Each await of what reads from Novu what became of messages meets a foreign exception: it is told of, the reader is
run again, and everything is heard in the end.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import httpx
import pytest
from postgrest import AsyncPostgrestClient

from shared.measured_accounts import MeasuredAccounts
from shared.novu.activity import LONGEST_ANSWER_BYTES, open_activity
from shared.supabase import delivery_accounts
from shared.supabase.delivery_accounts import SupabaseDeliveryAccounts
from shared.supervision import Supervisor
from tests.faults.await_points import await_points
from tests.faults.counted import Counted
from tests.faults.injector import raising_once_at_each
from tests.unit.listener.fakes import eventually
from tests.unit.worker.test_delivery_reader import entry
from worker.delivery_reader import DeliveryReader

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore:coroutine method 'aclose' of .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

POINTS = await_points(
    "shared.measured_accounts", "shared.novu.activity", "shared.supabase.delivery_accounts", "worker.delivery_reader"
)
SENT, TOO_LARGE, UNREAD = 1, 2, 3
"""One whose fate Novu tells, one of which it tells too much, one that was sent and nobody has read yet."""


class Table:
    """What is to be looked at: until a look went through, or found that nothing can be had."""

    def __init__(self) -> None:
        self.open = {SENT, TOO_LARGE, UNREAD}
        self.takes = 0

    async def call(self, client: object, function: str, **arguments: Any) -> dict[str, Any]:
        if function == "record_delivery":
            self.open -= {look["id"] for look in arguments["p_looks"]}
            return {"new_facts": 0, "unknown_transactions": 0, "states": [], "messages": []}
        if function == "begin_second_tries":
            return {"begun": []}
        self.takes += 1
        looks = [
            {
                "id": number,
                "enterprise_id": "acme",
                "transaction_id": f"xnovu.acme.{number}",
                "persons": 1,
                "age_seconds": 6.0,
                "complete": number == UNREAD,
                "unread": number == UNREAD,
                "second_try": 0,
                "try_chunks": 0,
                "try_entries": 0,
            }
            for number in sorted(self.open)
            if arguments["p_limit"]
        ]
        idle = {"next_look_in_seconds": 0.1, "unheard_seconds": 0.0, "states": [], "closed": 0}
        return {"mine": True, "looks": looks, **idle}


def novu(request: httpx.Request) -> httpx.Response:
    asked: Sequence[str] = request.url.params.get_list("transactionId")
    if f"xnovu.acme.{TOO_LARGE}" in asked:
        return httpx.Response(200, headers={"Content-Length": f"{LONGEST_ANSWER_BYTES + 1}"})
    return httpx.Response(200, json={"data": [entry(SENT)] if request.url.path == "/v1/notifications" else []})


async def read_everything(table: Table, parts: Supervisor, *, follows_reading: bool) -> None:
    """As a worker does, until nothing is open and the reader was told to leave."""

    async def read() -> None:
        async with open_activity("http://novu.example", "key") as activity:
            accounts = MeasuredAccounts(SupabaseDeliveryAccounts(cast(AsyncPostgrestClient, None)))
            await DeliveryReader(
                accounts,
                lambda _: activity,
                requests_per_second=1e6,
                retention_seconds=3600,
                follows_reading=follows_reading,
            ).run()

    reading = asyncio.create_task(parts.keep("delivery reader", read))
    await eventually(lambda: not table.open, within_seconds=60)
    takes = table.takes
    await eventually(lambda: table.takes > takes, within_seconds=60)  # it has paused
    reading.cancel()
    await asyncio.wait({reading})


async def test_an_await_of_the_delivery_reader_that_fails_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    monkeypatch.setattr("worker.delivery_reader.LEASE_SECONDS", 0.0)
    monkeypatch.setattr("worker.delivery_reader.FACTS_PER_RECORD", 1)
    monkeypatch.setattr("worker.delivery_reader._requests", lambda looks: [{it.transaction_id: it} for it in looks])
    monkeypatch.setattr("httpx.AsyncClient", partial(httpx.AsyncClient, transport=httpx.MockTransport(novu)))
    counted, parts = Counted.instead(monkeypatch), Supervisor(first_backoff_seconds=0.001)

    with raising_once_at_each(POINTS) as fired:
        before = -1
        while len(fired) > before:
            before = len(fired)
            for follows_reading in (True, False):
                table = Table()
                monkeypatch.setattr(delivery_accounts, "call_function", table.call)
                await read_everything(table, parts, follows_reading=follows_reading)

    assert not [str(point) for point in POINTS if point not in fired], "the scene does not come here"
    assert counted.faults == [("delivery reader", "Foreign")] * len(POINTS)
