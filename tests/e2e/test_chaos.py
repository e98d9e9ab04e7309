"""One system through every disaster, each in the middle of a load of 1,000 rows: none lost, none delivered twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.e2e.system import System, eventually, running_system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

ROWS = 1_000
LOAD_SECONDS = 5.0

Disaster = Callable[[System], Awaitable[None]]


async def kill_the_worker(system: System) -> None:
    await system.worker.kill()
    await system.start_worker()


async def kill_the_listener(system: System) -> None:
    await system.listener.kill()
    await system.start_listener()


async def kill_temporal_for_20_seconds(system: System) -> None:
    await system.stack.temporal.kill()
    await asyncio.sleep(20)
    await system.stack.temporal.start()


async def delete_temporals_database(system: System) -> None:
    await system.stack.temporal.kill()
    system.stack.temporal.delete_database()
    await system.stack.temporal.start()


async def restart_postgres(system: System) -> None:
    await system.stack.postgres.restart()


async def freeze_the_websocket(system: System) -> None:
    await system.edge_fault("freeze", seconds=20)


async def expire_the_token(system: System) -> None:
    await system.edge_fault("expire_token")


async def lose_events_silently(system: System) -> None:
    await system.edge_fault("lose_events", seconds=3)


async def let_novu_fail(system: System) -> None:
    """429 with Retry-After, then 500, then events accepted and no answer given."""
    await system.sink_faults(
        {"kind": "rate_limited", "retry_after": "1", "requests": 3},
        {"kind": "server_error", "status": 500, "requests": 3},
        {"kind": "accept_then_hang", "requests": 3},
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running_system(tmp_path_factory.mktemp("chaos"), NOVU_REQUEST_TIMEOUT_SECONDS="5") as running:
        yield running


@pytest.mark.parametrize(
    "disaster",
    [
        kill_the_worker,
        kill_the_listener,
        kill_temporal_for_20_seconds,
        delete_temporals_database,
        restart_postgres,
        freeze_the_websocket,
        expire_the_token,
        lose_events_silently,
        let_novu_fail,
    ],
    ids=lambda disaster: disaster.__name__,
)
async def test_nothing_is_lost_and_nothing_delivered_twice(disaster: Disaster, system: System) -> None:
    before = (await system.statuses())["SENT"]

    async def has_sent_something() -> bool:
        return (await system.statuses())["SENT"] > before

    loading = asyncio.create_task(system.load(ROWS, seconds=LOAD_SECONDS))
    await eventually(has_sent_something, what="the first rows are sent")

    await disaster(system)
    await loading

    await eventually(system.is_settled, what="every row has a final status")
    statuses = await system.statuses()
    assert statuses.keys() == {"SENT"}
    rows = statuses["SENT"]
    assert rows >= before + ROWS
    deliveries = await system.deliveries()
    assert set(deliveries) == await system.transaction_ids()
    assert len(deliveries) == rows
    assert set(deliveries.values()) == {1}
