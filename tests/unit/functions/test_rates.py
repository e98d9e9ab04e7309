"""How often a caller may call."""

import pytest

from functions import rates
from functions.problems import Problem
from functions.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def allowed(bounds: Rates, caller: str = "a", *, of: int = 1000) -> int:
    """How many calls at once are let through."""
    for count in range(of):
        try:
            bounds.spend(caller)
        except Problem:
            return count
    return of


def test_a_burst_is_followed_by_the_rate_and_no_call_is_lent() -> None:
    clock = Clock()
    bounds = Rates(2.0, 10, clock=clock)

    assert allowed(bounds) == 10
    clock.now = 1.0
    assert allowed(bounds) == 2
    clock.now = 1000.0
    assert allowed(bounds) == 10, "what was not used does not add up beyond the burst"


def test_the_refusal_says_when_a_call_will_be_let_through() -> None:
    clock = Clock()
    bounds = Rates(0.1, 1, clock=clock)
    bounds.spend("a")

    with pytest.raises(Problem) as refused:
        bounds.spend("a")

    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "10"})
    clock.now = 10.0
    bounds.spend("a")


def test_callers_do_not_take_from_each_other() -> None:
    bounds = Rates(1.0, 3, clock=Clock())

    assert allowed(bounds, "a") == 3
    assert allowed(bounds, "b") == 3


def test_without_a_rate_there_is_no_bound() -> None:
    assert allowed(Rates(0, 1, clock=Clock())) == 1000


def test_callers_who_have_not_called_for_a_while_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_BUCKETS", 10)
    clock = Clock()
    bounds = Rates(1.0, 5, clock=clock)
    for number in range(10):
        bounds.spend(f"c{number}")
    clock.now = 100.0

    assert allowed(bounds, "a") == 5
    assert allowed(bounds, "c0") == 5
    assert len(bounds._buckets) == 2
