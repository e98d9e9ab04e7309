"""Expressions with their meaning written a second time, by hand: no parser stands between them and the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Case:
    """`matches` is asked of wall clock readings in whole minutes; the rule fires at `seconds` of those minutes."""

    text: str
    matches: Callable[[datetime], bool]
    is_interval_like: bool = False
    seconds: tuple[int, ...] = (0,)
    is_dense: bool = False
    """Fires so often that a few hours around a change of clocks say enough."""


def _at(*times: tuple[int, int]) -> Callable[[datetime], bool]:
    return lambda wall: (wall.hour, wall.minute) in times


SUNDAY = 6

CASES = (
    # times of day: in gaps and folds of every zone, beside them, and far from them
    Case("0 0 * * *", _at((0, 0))),
    Case("30 0 * * *", _at((0, 30))),
    Case("0 1 * * *", _at((1, 0))),
    Case("30 1 * * *", _at((1, 30))),
    Case("59 1 * * *", _at((1, 59))),
    Case("0 2 * * *", _at((2, 0))),
    Case("15 2 * * *", _at((2, 15))),
    Case("30 2 * * *", _at((2, 30))),
    Case("0 3 * * *", _at((3, 0))),
    Case("0 9 * * MON-FRI", lambda wall: (wall.hour, wall.minute) == (9, 0) and wall.weekday() < 5),
    # several times, of which one change of clocks swallows or repeats more than one
    Case("0,30 2 * * *", _at((2, 0), (2, 30))),
    Case("0,20,40 0-3 * * *", lambda wall: wall.hour <= 3 and wall.minute in (0, 20, 40)),
    Case("15-45/10 1,2,23 * * *", lambda wall: wall.hour in (1, 2, 23) and wall.minute in (15, 25, 35, 45)),
    Case("0-59 1-2 * * *", lambda wall: wall.hour in (1, 2), is_dense=True),
    # days
    Case("30 2 * * SUN", lambda wall: (wall.hour, wall.minute) == (2, 30) and wall.weekday() == SUNDAY),
    Case(
        "30 1,2 8-14 3,11 7",  # both days restricted: either will do
        lambda wall: (
            wall.minute == 30
            and wall.hour in (1, 2)
            and wall.month in (3, 11)
            and (8 <= wall.day <= 14 or wall.weekday() == SUNDAY)
        ),
    ),
    Case(
        "0 0,2 */2 * 0",  # one of them starts with a star: both must hold
        lambda wall: wall.minute == 0 and wall.hour in (0, 2) and wall.day % 2 == 1 and wall.weekday() == SUNDAY,
    ),
    Case("30 2 L * *", lambda wall: (wall.hour, wall.minute) == (2, 30) and _is_last_of_month(wall)),
    Case("30 1 * * 0#1", lambda wall: _at((1, 30))(wall) and wall.weekday() == SUNDAY and wall.day <= 7),
    # interval-like
    Case("*/15 * * * *", lambda wall: wall.minute % 15 == 0, is_interval_like=True, is_dense=True),
    Case("* * * * *", lambda wall: True, is_interval_like=True, is_dense=True),
    Case("0 * * * *", lambda wall: wall.minute == 0, is_interval_like=True),
    Case("0 */2 * * *", lambda wall: wall.minute == 0 and wall.hour % 2 == 0, is_interval_like=True),
    Case("*/20 2 * * *", lambda wall: wall.hour == 2 and wall.minute % 20 == 0, is_interval_like=True),
    Case("5,35 * * * SUN", lambda wall: wall.minute in (5, 35) and wall.weekday() == SUNDAY, is_interval_like=True),
    # seconds
    Case("15 30 2 * * *", _at((2, 30)), seconds=(15,)),
    Case("*/30 0,59 1-2 * * *", lambda wall: wall.hour in (1, 2) and wall.minute in (0, 59), seconds=(0, 30)),
    Case("*/20 */10 * * * *", lambda wall: wall.minute % 10 == 0, True, seconds=(0, 20, 40), is_dense=True),
    Case("59 59 * * * SUN", lambda wall: wall.minute == 59 and wall.weekday() == SUNDAY, True, seconds=(59,)),
)


def _is_last_of_month(wall: datetime) -> bool:
    return wall.day >= 28 and wall.replace(day=28).month != _days_later(wall, 1).month


def _days_later(wall: datetime, days: int) -> datetime:
    return datetime.fromordinal(wall.toordinal() + days)
