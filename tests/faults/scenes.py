"""Plays scenes until each of these await points, of code that goes on by itself, has met a foreign exception.

Which scene comes to which point is found out by playing each once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pytest

from tests.faults.await_points import AwaitPoint
from tests.faults.injector import noting_points, raising_once_at

Scene = TypeVar("Scene")


def fail_each_once(
    points: Sequence[AwaitPoint], scenes: Iterable[Scene], play: Callable[[Scene], list[tuple[int, str]]]
) -> None:
    """`play` fails, by AssertionError or TimeoutError, if what the scene shows does not come back to what it was. It
    returns the faults that were told of, how many and what; of a point's, one is to be. A point that no scene comes to
    fails the test.
    """
    comes_to: dict[AwaitPoint, Scene] = {}
    for scene in scenes:
        with noting_points(points) as reached:
            told = play(scene)
        assert told == [], f"{scene}: {told}"
        comes_to = dict.fromkeys(reached, scene) | comes_to
    unmet = [str(point) for point in points if point not in comes_to]
    assert not unmet, f"no scene comes here, add one that does: {unmet}"

    for point, scene in comes_to.items():
        with raising_once_at(point) as injection:
            try:
                told = play(scene)
            except (AssertionError, TimeoutError) as error:
                pytest.fail(f"{point}: {error!r}")
        assert injection.has_fired or injection.was_left, point
        assert told == [(1, "Foreign")] * injection.has_fired, f"{point}: {told}"
