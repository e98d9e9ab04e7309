"""Deliveries side by side: one call for all that wait for it, and each fails alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

from tests.unit.virtual_time import run_virtually
from worker.meeting import PATIENCE_SECONDS, current_meeting, side_by_side

FOR_EVER = 3600.0


async def meet(
    deliver: Callable[[int], Awaitable[None]], *numbers: int, patience_seconds: float = FOR_EVER
) -> dict[str, Exception]:
    deliveries = {str(number): partial(deliver, number) for number in numbers}
    return await side_by_side(deliveries, patience_seconds=patience_seconds)


class Doubling:
    """Answers twice the argument; a failure for those in `refused`."""

    def __init__(self, *, refused: Sequence[int] = ()) -> None:
        self.calls: list[list[int]] = []
        self._refused = refused

    async def __call__(self, arguments: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(arguments))
        await asyncio.sleep(0)
        return [KeyError(it) if it in self._refused else 2 * it for it in arguments]


async def test_what_all_wait_for_is_asked_once() -> None:
    double, answers = Doubling(), dict[int, int]()

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        answers[number] = await one.call("double", number, double)
        answers[number] = await one.call("double", answers[number], double)

    assert await meet(deliver, 1, 2, 3) == {}

    assert double.calls == [[1, 2, 3], [2, 4, 6]]
    assert answers == {1: 4, 2: 8, 3: 12}
    assert current_meeting() is None


async def test_different_calls_are_made_side_by_side() -> None:
    double, other = Doubling(), Doubling()

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        await one.call("even" if number % 2 == 0 else "odd", number, double if number % 2 == 0 else other)

    await meet(deliver, 1, 2, 3, 4)

    assert (double.calls, other.calls) == ([[2, 4]], [[1, 3]])


async def test_who_is_busy_with_something_else_is_not_waited_for() -> None:
    double, busy = Doubling(), asyncio.Event()

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        if number == 3:
            await busy.wait()
        await one.call("double", number, double)
        busy.set()

    await meet(deliver, 1, 2, 3, patience_seconds=0.001)

    assert double.calls == [[1, 2], [3]]


async def test_who_has_ended_is_not_waited_for() -> None:
    double = Doubling()

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        if number == 2:
            await asyncio.sleep(0.01)
            raise KeyError("foreign")
        await one.call("double", number, double)

    failures = await meet(deliver, 1, 2)

    assert double.calls == [[1]]
    assert [type(failure) for failure in failures.values()] == [KeyError]


async def test_an_answer_that_is_an_exception_is_one_delivery_s() -> None:
    double, answered = Doubling(refused=[2]), list[int]()

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        answered.append(await one.call("double", number, double))

    failures = await meet(deliver, 1, 2, 3)

    assert answered == [2, 6]
    assert [failure.args for failure in failures.values()] == [(2,)]


async def test_a_call_that_fails_fails_all_that_asked() -> None:
    async def fail(arguments: Sequence[int]) -> list[int]:
        raise ConnectionError

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        await one.call("fail", number, fail)

    failures = await meet(deliver, 1, 2)

    assert [type(failure) for failure in failures.values()] == [ConnectionError, ConnectionError]


async def test_too_few_answers_are_noticed() -> None:
    async def forget(arguments: Sequence[int]) -> list[int]:
        return []

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        await one.call("forget", number, forget)

    failures = await meet(deliver, 1, 2)

    assert {type(failure) for failure in failures.values()} == {RuntimeError}


async def test_cancelling_reaches_what_is_under_way() -> None:
    cancelled = asyncio.Event()

    async def hang(arguments: Sequence[int]) -> list[int]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return []

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        await one.call("hang", number, hang)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await meet(deliver, 1, 2)

    assert cancelled.is_set()


def test_who_come_one_after_the_other_are_waited_for_but_not_for_ever() -> None:
    double = Doubling()
    comes_after = [0.0, 0.09, 0.18, 0.27, 0.36, 0.45, 0.54, 1.0]

    async def deliver(number: int) -> None:
        one = current_meeting()
        assert one is not None
        await asyncio.sleep(comes_after[number])
        await one.call("double", number, double)

    run_virtually(meet(deliver, *range(len(comes_after)), patience_seconds=PATIENCE_SECONDS))

    # The sixth came within half a second of the first, the seventh did not; the eighth is the last there is.
    assert double.calls == [[0, 1, 2, 3, 4, 5], [6], [7]]
