"""The scaler's row: one tick at a time, and a memory that only the tick under way can write."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import Connection, Project, call

POOL = "projects/p/locations/l/workerPools/worker"


async def _begin(connection: Connection, *, hold_seconds: float = 60, pool: str = POOL) -> Any:
    return await call(connection, "begin_scaler_tick", p_pool=pool, p_hold_seconds=hold_seconds)


async def _end(connection: Connection, version: int, memory: Any, *, pool: str = POOL) -> bool:
    ended = await call(connection, "end_scaler_tick", p_pool=pool, p_version=version, p_memory=memory)
    return bool(ended["ended"])


async def test_a_tick_finds_what_the_last_one_left(connection: Connection) -> None:
    first = await _begin(connection)
    assert await _end(connection, first["version"], {"rate": 1.5})

    second = await _begin(connection)

    assert (first["begun"], first["memory"]) == (True, None)
    assert (second["begun"], second["memory"], second["version"]) == (True, {"rate": 1.5}, first["version"] + 1)


async def test_a_tick_that_leaves_nothing_leaves_what_there_was(connection: Connection) -> None:
    await _end(connection, (await _begin(connection))["version"], {"rate": 1.5})
    await _end(connection, (await _begin(connection))["version"], None)

    assert (await _begin(connection))["memory"] == {"rate": 1.5}


async def test_while_a_tick_is_under_way_no_other_of_its_pool_begins(connection: Connection) -> None:
    await _begin(connection)

    assert await _begin(connection) == {"begun": False}
    assert (await _begin(connection, pool="another"))["begun"]


async def test_of_ticks_at_once_one_begins(project: Project) -> None:
    async def begin() -> bool:
        async with project.connect() as connection:
            return bool((await _begin(connection))["begun"])

    assert sum(await asyncio.gather(*(begin() for _ in range(8)))) == 1


async def test_a_tick_whose_time_is_over_is_overtaken_and_leaves_nothing(connection: Connection) -> None:
    lost = await _begin(connection, hold_seconds=0.000001)
    later = await _begin(connection)

    assert not await _end(connection, lost["version"], {"rate": 9.0})
    assert await _begin(connection) == {"begun": False}
    assert await _end(connection, later["version"], {"rate": 1.0})
    assert not await _end(connection, later["version"], {"rate": 2.0})
    assert (await _begin(connection))["memory"] == {"rate": 1.0}


@pytest.mark.parametrize(("pool", "hold_seconds"), [("", 60), (POOL, 0), (POOL, -1), (None, 60), (POOL, None)])
async def test_a_tick_of_nothing_or_for_no_time_is_refused(
    connection: Connection, pool: Any, hold_seconds: Any
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await _begin(connection, pool=pool, hold_seconds=hold_seconds)
