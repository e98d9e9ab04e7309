"""Every await of the sharing of shards meets a foreign exception in turn: everybody is heard and shares again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from listener.sharing.shares import SHARE_SECONDS
from listener.sharing.term import SETTLED_WITHIN_SECONDS
from tests.faults.await_points import await_points, modules_of
from tests.faults.scenes import fail_each_once
from tests.unit.listener.sharing.test_shares import Scene
from tests.unit.virtual_time import run_virtually

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

    return run_virtually(run())


def test_an_await_of_the_sharing_that_fails_costs_nobody_his_listener() -> None:
    fail_each_once(POINTS, SCENES, play)
