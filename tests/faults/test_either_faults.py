"""Every await of the choice between two ways meets a foreign exception in turn: both ears go on as before."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from listener.doorbell.either import ASK_AGAIN_SECONDS
from shared.supervision import Supervisor
from tests.faults.await_points import await_points, modules_of
from tests.faults.scenes import fail_each_once
from tests.unit.listener.doorbell.test_either import TIMING, Scene, is_running
from tests.unit.virtual_time import run_virtually

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

POINTS = [point for point in await_points(*modules_of("listener.doorbell")) if "doorbell/either.py" in point.file]


async def fall_back_and_return(it: Scene) -> None:
    await it.for_seconds(TIMING.fall_back_after + 30)
    assert is_running(it.second)
    it.second.pulse.is_proven = True
    assert it.way() == "postgres_changes"
    it.first.pulse.is_proven = True
    await it.for_seconds(TIMING.steady_after + 30)


async def be_asked_again(it: Scene) -> None:
    it.has_first = False
    await it.for_seconds(30)
    assert is_running(it.second)
    it.has_first = it.first.pulse.is_proven = True
    await it.for_seconds(ASK_AGAIN_SECONDS + TIMING.steady_after + 30)


SCENES: tuple[Callable[[Scene], Awaitable[None]], ...] = (fall_back_and_return, be_asked_again)


def play(what: Callable[[Scene], Awaitable[None]]) -> list[tuple[int, str]]:
    """Faults that were told of, and what."""

    async def run() -> list[tuple[int, str]]:
        it, parts = Scene(), Supervisor()
        running = asyncio.create_task(parts.keep("realtime", it.either.run, on_fault=it.either.note_fault))
        try:
            await what(it)
            assert is_running(it.first)
            assert not is_running(it.second)
            assert it.way() == "broadcast"
        finally:
            running.cancel()
            await asyncio.wait({running})
        return [(part.faults, part.last_fault) for part in parts.failing()]

    return run_virtually(run())


def test_an_await_of_the_choice_that_fails_costs_neither_way() -> None:
    fail_each_once(POINTS, SCENES, play)
