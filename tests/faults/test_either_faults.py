"""Every await of the choice between two ways meets a foreign exception in turn: both ears go on as before."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from listener.doorbell.either import ASK_AGAIN_SECONDS
from shared.supervision import Supervisor
from tests.faults.await_points import AwaitPoint, await_points, modules_of
from tests.faults.injector import noting_points, raising_once_at
from tests.unit.listener.doorbell.clockless_loop import run_without_waiting
from tests.unit.listener.doorbell.test_either import TIMING, Scene, is_running

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

    return run_without_waiting(run())


def test_an_await_of_the_choice_that_fails_costs_neither_way() -> None:
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
            except AssertionError as error:
                pytest.fail(f"{point}: {error}")

        assert injection.has_fired or injection.was_left, point
        assert told == [(1, "Foreign")] * injection.has_fired, point
