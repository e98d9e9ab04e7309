"""The injector reaches each kind of await point of a module: this one's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.injector import Foreign, raising_once_at


async def _numbers() -> AsyncIterator[int]:
    for number in range(2):
        await asyncio.sleep(0)
        yield number


@asynccontextmanager
async def _held(log: list[str]) -> AsyncIterator[None]:
    log.append("in")
    try:
        yield
    finally:
        log.append("out")


async def _subject(log: list[str]) -> None:
    await asyncio.sleep(0)
    log.append("awaited")
    async with _held(log):
        async for _ in _numbers():
            log.append("number")  # noqa: PERF401 - an `async for` is what this is about
    log.append("end")


SUBJECT = [point for point in await_points(__name__) if point.function == "_subject"]
UNTIL_THEN = {
    "await": [],
    "async with, in": ["awaited"],
    "async for": ["awaited", "in", "out"],
    "async with, out": ["awaited", "in", "number", "number", "out"],
}


def test_every_kind_of_point_is_found_once() -> None:
    assert sorted(point.kind for point in SUBJECT) == sorted(UNTIL_THEN)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("point", SUBJECT, ids=str)
async def test_a_point_meets_the_exception_once_and_at_its_place(point: AwaitPoint) -> None:
    log: list[str] = []
    again: list[str] = []

    with raising_once_at(point) as injection:
        with pytest.raises(Foreign):
            await asyncio.create_task(_subject(log))
        await asyncio.create_task(_subject(again))

    assert injection.has_fired
    assert log == UNTIL_THEN[point.kind]
    assert again[-1] == "end"
