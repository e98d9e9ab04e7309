"""Evaluates a step's `skip`: JSON Logic, whose result Novu inverts, so that it says when the step runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

_MISSING = float("nan")


class UnknownOperator(ValueError):
    """The rule uses an operator that Novu does not know."""


def step_runs(rule: Any, context: Mapping[str, Any]) -> bool:
    """Whether the step runs: always without a rule, else where the rule holds."""
    return not rule or bool(_evaluate(rule, context))


def known_operators() -> frozenset[str]:
    return frozenset({"var", "and", "or", "!", *_OPERATORS})


def _evaluate(rule: Any, context: Mapping[str, Any]) -> Any:
    if isinstance(rule, list):
        return [_evaluate(one, context) for one in rule]
    if not isinstance(rule, Mapping) or len(rule) != 1:
        return rule
    [(operator, operands)] = rule.items()
    operands = operands if isinstance(operands, list) else [operands]
    if operator == "var":
        return _look_up(str(operands[0]) if operands else "", context)
    if operator == "and":
        return all(_evaluate(one, context) for one in operands)
    if operator == "or":
        return any(_evaluate(one, context) for one in operands)
    values = [_evaluate(one, context) for one in operands]
    if operator == "!":
        return not values[0]
    if operator not in _OPERATORS:
        raise UnknownOperator(operator)
    return _OPERATORS[operator](*values)


def _look_up(path: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for name in path.split(".") if path else []:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return None
    return value


def _number(value: Any) -> float:
    """JavaScript's Number()."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value.strip() or 0)
        except ValueError:
            return _MISSING
    return _MISSING


def _equal(left: Any, right: Any) -> bool:
    """As numbers where both are some, which null and a text of digits are."""
    numbers = (_number(left), _number(right))
    if any(map(math.isnan, numbers)):
        return bool(left == right)
    return numbers[0] == numbers[1]


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def evaluate(left: Any, right: Any) -> bool:
        numbers = (_number(left), _number(right))
        if not any(map(math.isnan, numbers)):
            return compare(*numbers)
        return isinstance(left, str) and isinstance(right, str) and compare(left, right)

    return evaluate


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, list):
        return part in whole
    return isinstance(whole, str) and str(part) in whole


def _between(value: Any, bounds: Any) -> bool:
    low, high = bounds if isinstance(bounds, list) else str(bounds).split(",")
    return _number(low) <= _number(value) <= _number(high)


def _begins(text: Any, beginning: Any) -> bool:
    return isinstance(text, str) and text.startswith(str(beginning))


def _ends(text: Any, end: Any) -> bool:
    return isinstance(text, str) and text.endswith(str(end))


_OPERATORS: dict[str, Callable[..., bool]] = {
    "==": _equal,
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": lambda part, whole: _contains(whole, part),
    "notIn": lambda part, whole: not _contains(whole, part),
    "contains": _contains,
    "doesNotContain": lambda whole, part: not _contains(whole, part),
    "startsWith": _begins,
    "doesNotBeginWith": lambda text, beginning: not _begins(text, beginning),
    "endsWith": _ends,
    "doesNotEndWith": lambda text, end: not _ends(text, end),
    "null": lambda value: value is None,
    "notNull": lambda value: value is not None,
    "between": _between,
    "notBetween": lambda value, bounds: not _between(value, bounds),
}
