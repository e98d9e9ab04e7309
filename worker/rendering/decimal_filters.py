"""Liquid's arithmetic, in decimals and rounded half up: what people check with pencil and paper.

A payload's 2.675 is exactly that, not the binary fraction nearest to it. Whole numbers stay whole: 7 divided by 2 is 3.
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation
from typing import Any, Final

from worker.rendering.list_filters import items_of, member
from worker.rendering.template_errors import FilterRefused

Number = int | Decimal

_ARITHMETIC: Final = Context(prec=60, rounding=ROUND_HALF_UP, traps=[DivisionByZero, InvalidOperation])
"""Far more digits than a number that a filter takes can have."""

_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_LEADING_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_DIGITS: Final = 100


def number_of(value: object) -> Number:
    """The number that a value is, as Liquid has it: of a text, that at its beginning; 0 if there is none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if not isinstance(value, str):
        return 0
    text = value.strip()
    if _DECIMAL.fullmatch(text):
        return int(text) if _LEADING_INTEGER.fullmatch(text) else Decimal(text[:_DIGITS])
    leading = _LEADING_INTEGER.match(text)
    return int(leading.group()) if leading else 0


def integer_of(value: object, filter_name: str) -> int:
    """The whole number that an argument is. Raises FilterRefused for anything else."""
    if type(value) is int:
        return value
    is_number = isinstance(value, float) or (isinstance(value, str) and _DECIMAL.fullmatch(value.strip()))
    number = number_of(value)
    if not is_number or number != int(number):
        raise FilterRefused(filter_name, "takes a whole number")
    return int(number)


def _result(number: Number) -> int | float:
    if isinstance(number, int):
        return number
    result = float(number)
    if result in (float("inf"), float("-inf")) or result != result:
        raise ArithmeticError("beyond what a number can be")
    return result or 0.0  # and never -0.0


def _of_two(whole: Callable[[int, int], int], decimal: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., Any]:
    def apply(left: object, right: object) -> int | float:
        a, b = number_of(left), number_of(right)
        if isinstance(a, int) and isinstance(b, int):
            return whole(a, b)
        return _result(decimal(Decimal(a), Decimal(b)))

    return apply


def _modulo(a: Decimal, b: Decimal) -> Decimal:
    """With the sign of the divisor, as of whole numbers."""
    remainder = _ARITHMETIC.remainder(a, b)
    return _ARITHMETIC.add(remainder, b) if remainder and (remainder < 0) != (b < 0) else remainder


def _round(value: object, digits: object = None) -> int | float:
    number = number_of(value)
    places = 0 if digits is None else integer_of(digits, "round")
    if isinstance(number, int) and places >= 0:
        return number
    decimal = Decimal(number)
    exponent = decimal.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        decimal = _ARITHMETIC.quantize(decimal, Decimal(1).scaleb(-places)) if places > -_DIGITS else Decimal(0)
    return int(decimal) if places <= 0 else _result(decimal)


def _to_whole(rounding: str) -> Callable[[object], int]:
    return lambda value: int(Decimal(number_of(value)).to_integral_value(rounding))


def _absolute(value: object) -> int | float:
    number = number_of(value)
    return abs(number) if isinstance(number, int) else _result(number.copy_abs())


def _sum(value: object, name: object = None) -> int | float:
    items = items_of(value)
    total: Number = 0
    for item in items if name is None else [member(item, name) for item in items]:
        number = number_of(item)
        both_whole = isinstance(total, int) and isinstance(number, int)
        total = total + number if both_whole else _ARITHMETIC.add(Decimal(total), Decimal(number))
    return _result(total)


DECIMAL_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": _absolute,
    "at_least": lambda value, least: _result(max(number_of(value), number_of(least))),
    "at_most": lambda value, most: _result(min(number_of(value), number_of(most))),
    "ceil": _to_whole(ROUND_CEILING),
    "divided_by": _of_two(lambda a, b: a // b, _ARITHMETIC.divide),
    "floor": _to_whole(ROUND_FLOOR),
    "minus": _of_two(lambda a, b: a - b, _ARITHMETIC.subtract),
    "modulo": _of_two(lambda a, b: a % b, _modulo),
    "plus": _of_two(lambda a, b: a + b, _ARITHMETIC.add),
    "round": _round,
    "sum": _sum,
    "times": _of_two(lambda a, b: a * b, _ARITHMETIC.multiply),
}
