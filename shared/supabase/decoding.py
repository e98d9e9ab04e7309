"""Reading what the database holds, value by value: anybody may have written it. Pure.

Whoever reads a row catches Unreadable and makes the row FAILED (or the rule refused); its neighbours are read on.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic_core import from_json

Label = TypeVar("Label", bound=StrEnum)

_MAY_BE_BEYOND_A_DOUBLE = re.compile(r"[0-9]{300}")
"""PostgreSQL writes numbers out, without exponents: shorter ones are within a double's range."""


class Unreadable(Exception):
    """A column holds what cannot be read. The message names the column, says why, and quotes nothing."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(f"{column} {problem}")
        self.column = column
        self.problem = problem


def read_json(column: str, text: str | None) -> Any:
    """The value of a JSON column that travelled as text; None for SQL's null.

    Refused are values that nest deeper than 200 and numbers that no double holds: Novu could not read them either.
    """
    if text is None:
        return None
    try:
        value = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError):
        raise Unreadable(column, "nests deeper than 200, or holds a number that cannot be read") from None
    if _MAY_BE_BEYOND_A_DOUBLE.search(text) and not all(map(_is_within_a_double, _numbers(value))):
        raise Unreadable(column, "holds a number that cannot be read")
    return value


def read_instant(text: str | None, column: str = "an instant") -> datetime | None:
    """An instant as PostgreSQL writes it into JSON, to the microsecond; None for none."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Unreadable(column, "is an infinity, or lies before year 1 or after 9999") from None


def read_labels(column: str, values: Any, enum: type[Label]) -> tuple[Label, ...]:
    """An array of an enum's labels; none for SQL's null."""
    if values is None:
        return ()
    if not isinstance(values, list):
        raise Unreadable(column, "is no list that can be read")
    return tuple(read_label(column, value, enum) for value in values)


def read_label(column: str, value: Any, enum: type[Label]) -> Label:
    """One label; one that was added to the database's type later than to ours is refused."""
    try:
        return enum(value)
    except ValueError:
        raise Unreadable(column, f"holds something else than {', '.join(enum)}") from None


def read_count(column: str, value: Any) -> int:
    """A count that cannot be negative."""
    if not isinstance(value, int) or value < 0:
        raise Unreadable(column, "is negative")
    return value


def _numbers(value: Any) -> Iterator[int | float]:
    """All that a JSON value holds; it nests no deeper than 200."""
    if isinstance(value, dict):
        for member in value.values():
            yield from _numbers(member)
    elif isinstance(value, list):
        for member in value:
            yield from _numbers(member)
    elif isinstance(value, int | float):
        yield value


def _is_within_a_double(number: int | float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
