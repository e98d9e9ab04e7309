"""What asks who is served, in listener and worker, meets a foreign exception: it is told of, and asked again."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pytest
from postgrest import AsyncPostgrestClient

from listener import roster
from listener.roster import Roster
from shared.ports import StoreUnavailable
from shared.supabase import enterprise_store, orchestration_store, shared_work
from shared.supabase.enterprise_store import SupabaseEnterpriseStore
from shared.supabase.orchestration_store import SupabaseOrchestrationStore
from shared.supabase.shared_work import SupabaseSharedWork
from shared.supervision import Supervisor
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.counted import Counted
from tests.faults.injector import Foreign, raising_once_at, raising_once_at_each
from tests.unit.listener.fakes import eventually
from worker import served_enterprises
from worker.served_enterprises import ServedEnterprises

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

STORE = await_points("shared.supabase.enterprise_store")
CALLS = [
    *await_points("shared.supabase.shared_work"),
    *(point for point in await_points("shared.supabase.orchestration_store") if "unaccounted_in" in point.function),
]
LISTENER = await_points("listener.roster")
WORKER = [point for point in await_points("worker.served_enterprises") if "ServedEnterprises." in str(point)]
POINTS = [*STORE, *LISTENER, *WORKER, *CALLS]


class Database:
    """Has a newcomer at each look, and is away at some."""

    def __init__(self) -> None:
        self.looks = 0

    async def call(self, client: object, function: str, **arguments: Any) -> Any:
        self.looks += 1
        if self.looks % 3 == 0:
            raise StoreUnavailable("restarting")
        if function == "enterprises_told":
            return {"unserved": ["rests"], "settings": {}}
        return {"digest": str(self.looks), "served": [f"enterprise-{self.looks}"]}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    stands_in = Database()
    monkeypatch.setattr(enterprise_store, "call_function", stands_in.call)
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    monkeypatch.setattr(served_enterprises, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(served_enterprises, "BREATH_SECONDS", 0.0)
    monkeypatch.setattr(roster, "RETRY_SECONDS", 0.002)
    return stands_in


async def test_who_is_served_is_asked_for_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted.instead(monkeypatch)
    store = SupabaseEnterpriseStore(cast(AsyncPostgrestClient, None))
    everybody, worker, parts = Roster(None), ServedEnterprises([], store), Supervisor()
    points = [*STORE, *LISTENER, *WORKER]

    with raising_once_at_each(points) as fired:
        asking = [
            asyncio.create_task(parts.keep("enterprises", partial(everybody.run, store, interval_seconds=0.002))),
            asyncio.create_task(parts.keep("enterprises", worker.run)),
        ]
        until = asyncio.get_running_loop().time() + 60
        while len(fired) < len(points):
            assert asyncio.get_running_loop().time() < until, [str(each) for each in points if each not in fired]
            everybody.heard_of([], changed=True)
            with suppress(Foreign, StoreUnavailable):
                await worker.wait_until_known()
                await worker.serves_by_now("rests")
            await asyncio.sleep(0.001)
        looks = database.looks
        await eventually(lambda: database.looks > looks + 8)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)

    assert set(counted.faults) == {("enterprises", "Foreign")}
    assert len(everybody) == 1
    assert not worker.serves("rests")


@pytest.mark.parametrize("point", CALLS, ids=str)
async def test_a_call_of_the_shared_schedulers_that_fails_costs_an_attempt(
    point: AwaitPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(client: object, function: str, **arguments: Any) -> Any:
        work = {"now": "2026-11-25T12:00:00+00:00", "due": ["acme"], "has_more": False, "next_due_at": None}
        return work if function == "shared_work" else {"rows": 3, "oldest_age_seconds": 1.5}

    monkeypatch.setattr(shared_work, "call_function", answer)
    monkeypatch.setattr(orchestration_store, "call_function", answer)
    work = SupabaseSharedWork(cast(AsyncPostgrestClient, None))
    rows = SupabaseOrchestrationStore(cast(AsyncPostgrestClient, None))

    with raising_once_at(point) as injection:
        with suppress(Foreign):
            await work.due("cron", 3)
        with suppress(Foreign):
            await rows.unaccounted_in([3], older_than_seconds=60)
        assert (await work.due("cron", 3)).enterprise_ids == ("acme",)
        assert (await rows.unaccounted_in([3], older_than_seconds=60)).rows == 3

    assert injection.has_fired
