"""Deliveries begin as tokens come: others' are not held up, and nobody is forgotten."""

import heapq
from itertools import count
from random import Random

import pytest

from shared.ports import FaultCode, PutOff
from worker.turns import Turns

FREE = 57.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def turns(clock: Clock, pace: float | None = FREE, *, closed: PutOff | None = None, large_at_once: int = 50) -> Turns:
    return Turns(lambda: pace, lambda: closed, large_at_once=large_at_once, clock=clock, chance=lambda: 0.5)


def test_without_a_rate_everybody_begins() -> None:
    door = turns(Clock(), None)

    assert [door.enter("flood", 250, returning=False) for _ in range(1000)] == [None] * 1000


def test_while_novu_takes_nothing_nobody_begins() -> None:
    closed = PutOff(90.0, FaultCode.NOVU_PAYMENT_REQUIRED, "unpaid")

    assert turns(Clock(), None, closed=closed).enter("one", 1, returning=False) is closed
    assert turns(Clock(), closed=closed).enter("one", 1, returning=True) is closed


def test_a_flood_begins_bit_by_bit_and_singles_at_once() -> None:
    door = turns(Clock())

    flood = [door.enter("flood", 250, returning=False) for _ in range(4)]
    singles = [door.enter(enterprise, 1, returning=False) for enterprise in ("small", "other", "flood")]

    assert flood[0] is None
    # So long that three come back while one is sent.
    assert [put_off.seconds for put_off in flood[1:] if put_off] == pytest.approx(
        [number * 250 / FREE / 3 for number in (1, 2, 3)]
    )
    assert singles == [None, None, None]


def test_a_newcomer_does_not_pass_those_that_were_put_off() -> None:
    clock = Clock()
    door = turns(clock)
    for _ in range(3):
        door.enter("flood", 250, returning=False)
    clock.now += 250 / FREE

    newcomer = door.enter("flood", 250, returning=False)

    assert newcomer is not None
    assert door.enter("flood", 250, returning=True) is None


def test_those_that_came_back_to_another_worker_are_not_waited_for() -> None:
    clock = Clock()
    door = turns(clock)
    for _ in range(3):
        door.enter("flood", 250, returning=False)
    clock.now += 10

    assert door.enter("flood", 250, returning=False) is None


@pytest.mark.parametrize("lateness", [0.0, 1.0])
def test_a_hundred_thousand_rows_begin_at_the_rate(lateness: float) -> None:
    clock = Clock()
    door = Turns(lambda: FREE, lambda: None, large_at_once=1000, clock=clock, chance=Random(7).random)
    numbers = count()
    attempts = 0
    returning = [(clock.now, next(numbers), False) for _ in range(400)]
    began: list[float] = []
    while returning:
        clock.now, _, been_here = heapq.heappop(returning)
        attempts += 1
        put_off = door.enter("flood", 250, returning=been_here)
        if put_off is None:
            began.append(clock.now)
        else:
            heapq.heappush(returning, (clock.now + put_off.seconds + lateness, next(numbers), True))

    seconds = 100_000 / FREE
    assert seconds - 5 < began[-1] - began[0] < 1.1 * seconds
    for number, instant in enumerate(began):
        assert number * 250 / FREE - (instant - began[0]) < 3  # never further ahead than that
    assert attempts < 400 * 10


def test_lanes_with_bulk_leave_slots_to_singles() -> None:
    clock = Clock()
    door = turns(clock, large_at_once=3)

    bulk = [door.enter(f"enterprise{number}", 250, returning=False) for number in range(6)]
    single = door.enter("small", 1, returning=False)

    assert [put_off is None for put_off in bulk] == [True] * 3 + [False] * 3
    assert single is None
    door.leave("enterprise0", 250)
    assert door.enter("enterprise5", 250, returning=True) is None


def test_lanes_that_are_done_are_forgotten() -> None:
    clock = Clock()
    door = turns(clock)
    for number in range(5000):
        clock.now += 1
        door.enter(f"enterprise{number}", 1, returning=False)
        door.leave(f"enterprise{number}", 1)

    assert len(door._lanes) <= 600


def test_a_delivery_that_was_quicker_than_was_reckoned_makes_room() -> None:
    door = turns(Clock())
    door.enter("flood", 250, returning=False)
    door.enter("flood", 250, returning=False)

    door.leave("flood", 250)

    assert door.enter("flood", 250, returning=True) is None
