"""How often a call looks: what may be asked for, and when each look is."""

import asyncio

import pytest
from starlette.requests import Request

from functions.looks import parse_looks, when_to_look
from functions.problems import Problem, ProblemCode


def asking(query: str) -> Request:
    return Request({"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": query.encode()})


@pytest.mark.parametrize(("query", "count"), [("", 1), ("looks=1", 1), ("looks=4", 4)])
def test_a_call_looks_once_or_as_often_as_it_is_asked_to(query: str, count: int) -> None:
    assert parse_looks(asking(query)) == count


@pytest.mark.parametrize("query", ["looks=", "looks=0", "looks=5", "looks=-1", "looks=1.0", "looks=four"])
def test_another_number_is_refused(query: str) -> None:
    with pytest.raises(Problem, match="looks must be a whole number from 1 to 4") as refused:
        parse_looks(asking(query))

    assert refused.value.code is ProblemCode.INVALID_REQUEST


async def test_looks_are_spread_evenly_whatever_each_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    class Clock:
        now = 100.0

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    seen = []

    async for _ in when_to_look(4):
        seen.append(clock.now)
        clock.now += {100.0: 2.0, 115.0: 16.0}.get(clock.now, 0.5)

    assert seen == [100.0, 115.0, 131.0, 145.0]
    assert slept[0] == slept[2] == 0.0
