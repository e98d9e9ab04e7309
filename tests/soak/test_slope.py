"""A soak fails for what grows, and not for what is only restless."""

from collections.abc import Callable
from random import Random

import pytest

from tests.soak import series
from tests.soak.series import KINDS, SECONDS_A_DAY, Verdict, find
from tests.soak.slope import Point, slope

LOOKS = 240
"""Every five seconds for twenty minutes."""
WARM_UP_SECONDS = 120.0


def _series(value: Callable[[float], float]) -> list[Point]:
    return [(5.0 * number, value(5.0 * number)) for number in range(LOOKS)]


def _restless(chance: Random, *, alike: float, spread: float) -> Callable[[float], float]:
    """Each value remembers the one before by so much; no slope."""
    left = 0.0

    def value(_: float) -> float:
        nonlocal left
        left = alike * left + chance.gauss(0, spread * (1 - alike**2) ** 0.5)
        return 200 + left

    return value


def _verdicts(**changed: list[Point]) -> dict[str, Verdict]:
    """All is flat but what is said here, in words with underscores."""
    named = {name.replace("_", " "): points for name, points in changed.items()}
    samples = {name: named.get(name, _series(lambda _: 1.0)) for name in KINDS}
    return {it.name: it.verdict for it in find(samples, warm_up_seconds=WARM_UP_SECONDS)}


def test_a_straight_line_has_its_slope() -> None:
    found = slope(_series(lambda at: 7 + 0.25 * at))

    assert found.low == pytest.approx(0.25)
    assert found.estimate == pytest.approx(0.25)
    assert found.high == pytest.approx(0.25)


def test_limits_are_those_of_sen_and_gilbert() -> None:
    """Independent values, so nothing is widened. Ranks by hand: 28 slopes of 8 values, variance 8 * 7 * 21 / 18, so
    2.576 * 8.083 = 20.8, and the ranks are (28 - 20.8) / 2: the fourth from either end."""
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0, 3.5]
    slopes = sorted((values[b] - values[a]) / (b - a) for a in range(8) for b in range(a + 1, 8))

    found = slope(list(enumerate(values)))

    assert found.estimate == (slopes[13] + slopes[14]) / 2
    assert (found.low, found.high) == (slopes[3], slopes[24])


def test_too_short_a_run_says_nothing_and_says_so() -> None:
    with pytest.raises(ValueError, match="5 stretches of time are too few"):
        slope([(float(number), 1.0) for number in range(5)])


def test_what_is_flat_is_flat() -> None:
    assert set(_verdicts().values()) == {Verdict.FLAT}


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
def test_restless_series_without_a_slope_do_not_fail(alike: float) -> None:
    """One in two hundred may be taken for a slope where there is none: of a thousand five, and hardly ever twelve. In a
    soak the slope has to be above a bound, too."""
    failed = [seed for seed in range(1000) if slope(_series(_restless(Random(seed), alike=alike, spread=5))).low > 0]

    assert len(failed) <= 12


def test_a_sawtooth_does_not_fail() -> None:
    """Garbage that is collected once a minute."""
    assert _verdicts(worker_memory=_series(lambda at: 200 + at % 60))["worker memory"] is not Verdict.GROWS


def test_what_ends_with_the_warm_up_does_not_fail() -> None:
    assert _verdicts(worker_memory=_series(lambda at: 100 + min(at, WARM_UP_SECONDS)))["worker memory"] is Verdict.FLAT


@pytest.mark.parametrize(
    ("name", "a_day"),
    [("listener memory", 1500), ("worker handles", 1000), ("webhook threads", 1000), ("listener tasks", 4000),
     ("open workflows", 3000), ("tables", 3000), ("indexes", 3000), ("connections", 1000), ("WAL held by slots", 2000)],
)  # fmt: skip
def test_a_leak_under_noise_fails(name: str, a_day: float) -> None:
    chance = Random(name)
    noise = _restless(chance, alike=0.5, spread=1.0)

    leaking = _series(lambda at: noise(at) - 150 + a_day * at / SECONDS_A_DAY)

    found = _verdicts(**{name.replace(" ", "_"): leaking})
    assert found[name] is Verdict.GROWS
    assert {verdict for other, verdict in found.items() if other != name} == {Verdict.FLAT}


def test_a_leak_in_steps_fails() -> None:
    """One handle in a minute."""
    assert _verdicts(worker_handles=_series(lambda at: 50 + at // 60))["worker handles"] is Verdict.GROWS


def test_one_step_alone_is_no_leak() -> None:
    """A pool that took one more connection."""
    assert _verdicts(worker_handles=_series(lambda at: 50 + (at > 600)))["worker handles"] is not Verdict.GROWS


def test_what_is_bounded_by_a_number_fails_above_it() -> None:
    found = _verdicts(longest_history=_series(lambda at: at % 4000 + 400 * (at > 1000)))
    beyond = _verdicts(longest_history=_series(lambda at: 5 * at))

    assert found["longest history"] is Verdict.FLAT
    assert beyond["longest history"] is Verdict.ABOVE


def test_every_bound_is_one_number_with_a_reason() -> None:
    for name, kind in series.KINDS.items():
        given = [kind.bound.a_day, kind.bound.share_a_day, kind.bound.at_most]
        assert len([each for each in given if each is not None]) == 1, name
        assert len(kind.bound.reason) > 20, name
