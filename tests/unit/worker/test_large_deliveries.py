"""Which deliveries of many rows run, which wait, and which come again."""

import asyncio
from contextlib import ExitStack

import pytest
from temporalio.exceptions import ApplicationError

from shared.novu.rates.lanes import SMALL
from worker.activities import large_deliveries
from worker.activities.large_deliveries import (
    AT_ONCE,
    BEGINNING_SECONDS,
    LONGEST_REST_SECONDS,
    MOST_FAN_OUTS,
    MOST_FAN_OUTS_OF_ONE,
    MOST_WAITING,
    SMALL_ARE_ABOUT_SECONDS,
    LargeDeliveries,
)
from worker.failures import is_put_off


class Deliveries:
    """Each runs until all are let end; `running` are those that do."""

    def __init__(self) -> None:
        self.large = LargeDeliveries()
        self.running: list[str] = []
        self.end = asyncio.Event()

    async def deliver(self, enterprise_id: str, rows: int = SMALL + 1) -> None:
        async with self.large.turn(enterprise_id, rows):
            self.running.append(enterprise_id)
            await self.end.wait()
            self.running.remove(enterprise_id)

    def begin(self, enterprise_id: str, count: int = 1, rows: int = SMALL + 1) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.deliver(enterprise_id, rows)) for _ in range(count)]


async def everybody_has_come_as_far_as_he_can() -> None:
    """However long the machine takes for it."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_few_of_an_enterprise_run_at_once_and_the_others_take_their_places() -> None:
    deliveries = Deliveries()
    tasks = deliveries.begin("flood", AT_ONCE + 2)
    await everybody_has_come_as_far_as_he_can()

    assert deliveries.running == ["flood"] * AT_ONCE
    deliveries.end.set()
    await asyncio.gather(*tasks)


async def test_another_enterprises_and_small_ones_do_not_wait() -> None:
    deliveries = Deliveries()
    tasks = deliveries.begin("flood", AT_ONCE + MOST_WAITING)
    tasks += deliveries.begin("other") + deliveries.begin("flood", rows=SMALL)
    await everybody_has_come_as_far_as_he_can()

    assert sorted(deliveries.running) == ["flood"] * (AT_ONCE + 1) + ["other"]
    deliveries.end.set()
    await asyncio.gather(*tasks)


async def test_where_too_many_wait_the_next_comes_again_and_that_is_no_fault_of_its_rows() -> None:
    deliveries = Deliveries()
    tasks = deliveries.begin("flood", AT_ONCE + MOST_WAITING)
    await everybody_has_come_as_far_as_he_can()

    with pytest.raises(ApplicationError) as raised:
        await deliveries.deliver("flood")

    least, most = large_deliveries.PAUSE_SECONDS
    assert is_put_off(raised.value)
    assert raised.value.next_retry_delay is not None
    assert least <= raised.value.next_retry_delay.total_seconds() <= most
    deliveries.end.set()
    await asyncio.gather(*tasks)


async def test_one_that_is_cancelled_while_it_waits_leaves_its_place_to_the_next() -> None:
    deliveries = Deliveries()
    tasks = deliveries.begin("flood", AT_ONCE + MOST_WAITING)
    await everybody_has_come_as_far_as_he_can()
    tasks[AT_ONCE].cancel()
    await asyncio.wait({tasks[AT_ONCE]})

    tasks += deliveries.begin("flood")
    await everybody_has_come_as_far_as_he_can()

    assert not tasks[-1].done()
    deliveries.end.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [asyncio.CancelledError]


async def a_delivery(large: LargeDeliveries, seconds: float, ended_at: list[float]) -> None:
    """Of many rows; it takes so long once it runs."""
    async with large.turn("flood", SMALL + 1):
        await asyncio.sleep(seconds)
    ended_at.append(asyncio.get_running_loop().time())


async def a_single_beside_a_flood(large: LargeDeliveries, *, after_seconds: float = BEGINNING_SECONDS) -> None:
    """A small delivery, so long after a large one of another enterprise has begun."""
    async with large.turn("earlier flood", SMALL + 1):
        await asyncio.sleep(after_seconds)
        async with large.turn("other", 1):
            pass


async def after(large: LargeDeliveries, seconds: float, *, count: int, small: bool) -> list[float]:
    """When each of so many deliveries of a flood has ended, that take so long, beginning now."""
    if small:
        await a_single_beside_a_flood(large)
    began, ended_at = asyncio.get_running_loop().time(), list[float]()
    await asyncio.gather(*(a_delivery(large, seconds, ended_at) for _ in range(count)))
    return [round(each - began, 6) for each in ended_at]


async def test_while_small_ones_are_about_a_flood_has_one_place_and_rests_for_twice_as_long_as_it_worked() -> None:
    assert await after(LargeDeliveries(), 0.25, count=3, small=True) == [0.25, 1.0, 1.75]


async def test_where_nobody_else_is_about_it_has_all_its_places_and_no_rest() -> None:
    assert await after(LargeDeliveries(), 0.25, count=4, small=False) == [0.25, 0.25, 0.25, 0.5]


async def test_a_bursts_own_first_rows_and_those_before_it_do_not_slow_it() -> None:
    large = LargeDeliveries()
    async with large.turn("other", 1):
        pass
    await a_single_beside_a_flood(large, after_seconds=BEGINNING_SECONDS / 2)

    assert await after(large, 0.25, count=3, small=False) == [0.25, 0.25, 0.25]


async def test_a_flood_that_has_nothing_under_way_for_a_moment_has_not_begun_anew() -> None:
    large = LargeDeliveries()
    for _ in range(2):
        async with large.turn("earlier flood", SMALL + 1):
            await asyncio.sleep(BEGINNING_SECONDS / 2)
        await asyncio.sleep(BEGINNING_SECONDS / 2)
    async with large.turn("earlier flood", SMALL + 1), large.turn("other", 1):
        pass

    assert await after(large, 0.25, count=2, small=False) == [0.25, 1.0]


async def test_two_seconds_after_the_last_small_one_nobody_is_about() -> None:
    large = LargeDeliveries()
    assert await after(large, 0.25, count=1, small=True) == [0.25]
    await asyncio.sleep(SMALL_ARE_ABOUT_SECONDS)

    assert await after(large, 0.25, count=3, small=False) == [0.25, 0.25, 0.25]


async def test_one_that_waits_for_novu_keeps_its_enterprise_waiting_for_two_seconds_at_most() -> None:
    assert await after(LargeDeliveries(), 30, count=3, small=True) == [30, 32, 32]


async def test_a_long_delivery_is_followed_by_a_short_rest() -> None:
    large = LargeDeliveries()
    assert await after(large, 30, count=1, small=True) == [30]
    assert await after(large, 0.25, count=1, small=True) == [LONGEST_REST_SECONDS - BEGINNING_SECONDS + 0.25]


async def test_another_enterprises_flood_does_not_wait_for_that_rest() -> None:
    large = LargeDeliveries()
    await a_single_beside_a_flood(large)
    async with large.turn("flood", SMALL + 1), asyncio.timeout(0.1), large.turn("another flood", SMALL + 1):
        pass


async def test_one_that_fails_leaves_its_place_too() -> None:
    large = LargeDeliveries()
    await a_single_beside_a_flood(large)
    with pytest.raises(KeyError):
        async with large.turn("flood", SMALL + 1):
            raise KeyError("defect")

    assert await after(large, 0.25, count=2, small=False) == [0.25, 1.0]


async def rounds(large: LargeDeliveries, *names: str, count: int, seconds: float = 1.0) -> list[tuple[float, str]]:
    """When each round of these fan-outs, which begin now in this order, has ended."""
    began, ended = asyncio.get_running_loop().time(), list[tuple[float, str]]()

    async def fan_out(name: str) -> None:
        for _ in range(count):
            async with large.round():
                await asyncio.sleep(seconds)
            ended.append((round(asyncio.get_running_loop().time() - began, 6), name))

    await asyncio.gather(*map(fan_out, names))
    return ended


async def test_fan_outs_have_their_rounds_by_turns() -> None:
    ended = await rounds(LargeDeliveries(), "a", "b", "c", "d", "e", "f", count=2)

    assert ended == [
        *((1.0, name) for name in "abc"),
        *((2.0, name) for name in "def"),
        *((3.0, name) for name in "abc"),
        *((4.0, name) for name in "def"),
    ]


async def test_while_small_ones_are_about_one_round_of_all_fan_outs_runs_and_rests_for_what_it_worked() -> None:
    large = LargeDeliveries(lambda: asyncio.get_running_loop().time() / 4)  # the rest of the time it waits for Novu
    with large.fan_out("campaigns"):
        await asyncio.sleep(BEGINNING_SECONDS)
        async with large.turn("other", 1):
            pass

        ended = await rounds(large, "a", "b", count=2, seconds=0.2)

    assert ended == [(0.2, "a"), (0.5, "b"), (0.8, "a"), (1.1, "b")]


async def test_so_many_fan_outs_are_under_way_and_the_next_comes_again() -> None:
    large = LargeDeliveries()
    with ExitStack() as under_way:
        for _ in range(MOST_FAN_OUTS_OF_ONE):
            under_way.enter_context(large.fan_out("campaigns"))
        with pytest.raises(ApplicationError) as of_one, large.fan_out("campaigns"):
            pass
        for number in range(MOST_FAN_OUTS - MOST_FAN_OUTS_OF_ONE):
            under_way.enter_context(large.fan_out(f"other {number}"))
        with pytest.raises(ApplicationError) as of_all, large.fan_out("another"):
            pass

    assert is_put_off(of_one.value)
    assert is_put_off(of_all.value)
    assert of_all.value.next_retry_delay is not None
    least, most = large_deliveries.FAN_OUT_PAUSE_SECONDS
    assert least <= of_all.value.next_retry_delay.total_seconds() <= most
    with large.fan_out("another"):
        pass
