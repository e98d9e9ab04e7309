"""Every await of the sharing of shards meets a foreign exception in turn: everybody is heard and shares again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from listener.sharing.shares import SHARE_SECONDS
from listener.sharing.term import SETTLED_WITHIN_SECONDS
from tests.faults.await_points import AwaitPoint, await_points, modules_of
from tests.faults.injector import noting_points, raising_once_at
from tests.unit.listener.doorbell.clockless_loop import run_without_waiting
from tests.unit.listener.sharing.test_shares import Scene

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

POINTS = await_points(*modules_of("listener.sharing"))
ENTERPRISES = ("ent1", "ent2")
LONG_ENOUGH_SECONDS = 60.0 + 4 * SHARE_SECONDS


async def share(it: Scene) -> None:
    """More than there are shards for: some are without; and one goes."""
    for name in ("a", "b", "c"):
        await it.come(name)
    await asyncio.sleep(LONG_ENOUGH_SECONDS)
    await it.processes[-1].end()
    await asyncio.sleep(LONG_ENOUGH_SECONDS)


async def be_unheard(it: Scene) -> None:
    it.flows = False
    await it.come("a")
    await it.come("b")
    await asyncio.sleep(2 * SETTLED_WITHIN_SECONDS)
    it.flows = True
    await asyncio.sleep(LONG_ENOUGH_SECONDS)


SCENES: tuple[Callable[[Scene], Awaitable[None]], ...] = (share, be_unheard)


def play(what: Callable[[Scene], Awaitable[None]]) -> list[tuple[int, str]]:
    """Faults that were told of, and what."""

    async def run() -> list[tuple[int, str]]:
        it = Scene(ENTERPRISES)
        try:
            await what(it)
            await asyncio.sleep(LONG_ENOUGH_SECONDS)
            it.are_shared_out()
            for process in it.processes:
                await process.end()
        finally:
            for process in it.processes:
                await process.die()
        return [(part.faults, part.last_fault) for part in it.parts.failing()]

    return run_without_waiting(run())


def test_an_await_of_the_sharing_that_fails_costs_nobody_his_listener() -> None:
    comes_to: dict[AwaitPoint, Callable[[Scene], Awaitable[None]]] = {}
    for what in SCENES:
        with noting_points(POINTS) as reached:
            assert play(what) == []
        comes_to = dict.fromkeys(reached, what) | comes_to
    assert not [str(point) for point in POINTS if point not in comes_to], "no scene comes here: add one to SCENES"

    for point, what in comes_to.items():
        with raising_once_at(point) as injection:
            try:
                told = play(what)
            except (AssertionError, TimeoutError) as error:
                pytest.fail(f"{point}: {error!r}")

        assert injection.has_fired or injection.was_left, point
        assert told == [(1, "Foreign")] * injection.has_fired, point
