"""Tokens for Novu's rate, given to several workers at once by a real PostgreSQL."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from tests.integration.database.project import Connection, Project, call

RATE = {"p_per_second": 50.0, "p_burst": 100.0}
SLOW: dict[str, Any] = {"p_per_second": 0.02, "p_burst": 4.0}
"""A token in fifty seconds: for so long no machine makes a test wait between two calls."""


async def take(
    connection: Connection, needed: int, *, category: str = "trigger", spare: int = 0, **changed: Any
) -> Any:
    arguments = {**RATE, "p_probe_seconds": 60.0, **changed}
    return await call(connection, "take_novu_tokens", p_category=category, p_needed=needed, p_spare=spare, **arguments)


async def pass_time(connection: Connection, seconds: float) -> None:
    """As if all that is known had happened earlier."""
    await connection.execute(
        "update notify.novu_rate set booked_until = booked_until - make_interval(secs => $1),"
        " paused_until = paused_until - make_interval(secs => $1), probe_at = probe_at - make_interval(secs => $1)",
        seconds,
    )


async def test_a_full_bucket_gives_blocks_at_once_and_then_at_the_rate(connection: Connection) -> None:
    blocks = [await take(connection, 1000) for _ in range(4)]

    assert blocks == [{"granted": 25, "wait_seconds": 0}] * 4


async def test_blocks_that_are_given_away_ahead_are_half_of_what_may_be(connection: Connection) -> None:
    blocks = [await take(connection, 1_000_000, p_per_second=1000.0, p_burst=1.0) for _ in range(4)]

    assert 499 <= blocks[0]["granted"] <= 500
    for block in blocks:
        ahead_seconds = max(0, block["wait_seconds"] - block["granted"] / 1000)  # when it was asked for
        assert abs(block["granted"] - 1000 * (1 - ahead_seconds) / 2) <= 1
        assert block["wait_seconds"] < 1


async def test_spare_tokens_come_while_there_are_plenty(connection: Connection) -> None:
    rate = {**SLOW, "p_burst": 100.0}

    granted = [(await take(connection, 1, spare=spare, **rate))["granted"] for spare in (5, 40, 5)]

    assert granted == [6, 41, 1], "at the last there is as much as is wanted, but less than the half and that"


async def test_what_gathers_is_the_burst_at_most(connection: Connection) -> None:
    await take(connection, 25, **SLOW)
    await pass_time(connection, 3600)

    blocks = [await take(connection, 25, **SLOW) for _ in range(5)]

    assert [block["granted"] for block in blocks] == [1] * 5
    assert [block["wait_seconds"] for block in blocks[:4]] == [0] * 4
    assert blocks[4]["wait_seconds"] > 0


async def test_twenty_workers_together_stay_within_the_rate_and_none_waits_long(project: Project) -> None:
    began = time.monotonic()

    async def work(connection: Connection) -> tuple[int, float]:
        granted, longest = 0, 0.0
        while time.monotonic() - began < 1:
            block = await take(connection, 10)
            await asyncio.sleep(block["wait_seconds"])
            granted += block["granted"]
            longest = max(longest, block["wait_seconds"])
        return granted, longest

    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(project.connect()) for _ in range(20)]
        began = time.monotonic()
        worked = await asyncio.gather(*(work(worker) for worker in workers))
        seconds = time.monotonic() - began

    assert sum(granted for granted, _ in worked) <= 100 + 50 * seconds
    assert sum(granted for granted, _ in worked) > 100
    assert max(longest for _, longest in worked) < 1 + 20 / 50
    assert min(granted for granted, _ in worked) > 0


async def test_categories_are_counted_by_themselves(connection: Connection) -> None:
    await call(connection, "pause_novu_tokens", p_category="trigger", p_seconds=30.0)

    assert (await take(connection, 5))["granted"] == 0
    assert (await take(connection, 5, category="configuration"))["granted"] == 5
    assert (await take(connection, 5, category="global"))["granted"] == 5


async def test_a_pause_is_everybodys_and_nothing_has_gathered_after_it(connection: Connection) -> None:
    began = time.monotonic()
    await call(connection, "pause_novu_tokens", p_category="trigger", p_seconds=30.0)
    await call(connection, "pause_novu_tokens", p_category="trigger", p_seconds=5.0)
    paused = await take(connection, 5)
    passed_seconds = time.monotonic() - began
    await pass_time(connection, 30)

    after = await take(connection, 25, **SLOW)

    assert (paused["granted"], after["granted"]) == (0, 1)
    assert 30 - passed_seconds <= paused["wait_seconds"] <= 30
    assert 0 < after["wait_seconds"] <= 50


async def test_while_novu_wants_to_be_paid_one_of_all_workers_probes(project: Project, connection: Connection) -> None:
    began = time.monotonic()
    for _ in range(2):
        await call(connection, "note_novu_payment", p_category="trigger", p_required=True, p_probe_seconds=60.0)
    waiting = await take(connection, 5)
    passed_seconds = time.monotonic() - began
    await pass_time(connection, 60)
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(project.connect()) for _ in range(8)]
        answers = await asyncio.gather(*(take(worker, 5) for worker in workers))

    assert waiting["granted"] == 0
    assert 60 - passed_seconds <= waiting["wait_seconds"] <= 60
    assert sorted(answer["granted"] for answer in answers) == [0] * 7 + [1]
    assert len({answer["unpaid_since"] for answer in [waiting, *answers]}) == 1

    await call(connection, "note_novu_payment", p_category="trigger", p_required=False, p_probe_seconds=60.0)
    assert (await take(connection, 5)) == {"granted": 5, "wait_seconds": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_per_second": 0.0},
        {"p_per_second": float("nan")},
        {"p_per_second": None},
        {"p_burst": 0.0},
        {"p_burst": float("inf")},
        {"p_probe_seconds": -1.0},
    ],
)
async def test_a_rate_that_is_none_is_refused(connection: Connection, wrong: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="a rate and a burst that are positive"):
        await take(connection, 1, **wrong)


@pytest.mark.parametrize(("needed", "spare"), [(0, 0), (1, -1), (None, 0)])
async def test_a_block_of_nothing_is_refused(connection: Connection, needed: Any, spare: int) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await take(connection, needed, spare=spare)


async def test_a_slow_rate_and_a_fast_one_are_no_trouble(connection: Connection) -> None:
    assert (await take(connection, 1, p_per_second=0.001, p_burst=1.0))["wait_seconds"] <= 1000
    fast = await take(connection, 1_000_000, category="global", p_per_second=1e9, p_burst=1e9)
    assert fast == {"granted": 1_000_000, "wait_seconds": 0}
