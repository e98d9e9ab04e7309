"""Liquid's own filters, kept from computing more than a rendering may have.

The library's limits cover loops and output, not filters: two chained `replace` can fill a machine's memory. Here every
filter pays for what it takes in and what it gives back, and the few whose result is larger than a small multiple of
what they take are refused before they compute it.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from liquid.exceptions import LiquidError
from liquid.filter import with_context

from worker.rendering.budget import (
    INTEGER_BITS_LIMIT,
    ITEM_COST,
    RANGE_LIMIT,
    VALUE_LIMIT,
    LimitExceeded,
    require_value_fits,
    weight,
)
from worker.rendering.context import PlainDataContext
from worker.rendering.template_errors import DATA_FAULTS, FilterRefused
from worker.rendering.undefined import MissingVariable

Filter = Callable[..., Any]

CALL_COST: Final = 100
"""Units for calling a filter at all."""

_PAIRWISE_COST: Final = 4
"""Units for comparing one item with one other."""

_TAKES_UNDEFINED: Final = frozenset({"default"})


def _size_replaced(text: object, sought: object, replacement: object = "", *_: object) -> int:
    times = str(text).count(str(sought))
    return len(str(text)) + times * len(str(replacement))


def _size_joined(items: object, separator: object = " ", *_: object) -> int:
    return weight(items) + (len(items) if isinstance(items, list | tuple | range) else 1) * len(str(separator))


def _size_split(text: object, separator: object = "", *_: object) -> int:
    pieces = str(text).count(str(separator)) if separator else len(str(text))
    return weight(text) + ITEM_COST * pieces


_SIZE_OF_RESULT: Final[Mapping[str, Callable[..., int]]] = {
    "replace": _size_replaced,
    "join": _size_joined,
    "split": _size_split,
}
"""Filters whose result can be far larger than what they take: its weight, found without computing it."""

_PAIRWISE: Final = frozenset({"uniq"})
"""Filters that compare every item with every other."""

_MARKDOWN_COST: Final = 40
"""Units for a character of Markdown."""

_BRACKETS_PER_UNIT: Final = 8
"""Markdown looks for the end of a link from every bracket: brackets cost their square, divided by this."""

_COSTLY: Final[Mapping[str, int]] = {
    "sort": 20,
    "sort_natural": 20,
    "strip_html": 4,
    "html_to_text": 8,
    "sanitize_email": 8,
    "sanitize_inapp": 8,
    "sanitize_sms": 8,
}
"""Filters that need more than a unit for a character."""


def bounded(name: str, function: Filter) -> Filter:
    """The filter `function`, refusing undefined values and anything beyond the limits.

    Raises LimitExceeded, UndefinedVariable or FilterRefused.
    """
    size_of_result = _SIZE_OF_RESULT.get(name)
    cost_of_unit = _COSTLY.get(name, 1)

    @with_context
    @wraps(function)
    def apply(left: object, *arguments: object, context: PlainDataContext, **named: object) -> object:
        budget = context.rendering.budget
        taken = arguments if name in _TAKES_UNDEFINED else (left, *arguments)
        size = 0
        for value in (left, *arguments, *named.values()):
            size += _admit(value)
        for value in (*taken, *named.values()):
            if isinstance(value, MissingVariable):
                value.refuse()
        budget.spend(CALL_COST + cost_of_unit * size)
        if size_of_result is not None:
            require_value_fits(size_of_result(left, *arguments))
        if name == "markdown_to_html":
            budget.spend(_MARKDOWN_COST * size + str(left).count("[") ** 2 // _BRACKETS_PER_UNIT)
        if name in _PAIRWISE and isinstance(left, list | tuple):
            budget.spend(_PAIRWISE_COST * len(left) ** 2)
        if getattr(function, "with_environment", False):
            named["environment"] = context.env
        if getattr(function, "with_context", False):
            named["context"] = context
        try:
            result = function(left, *arguments, **named)
        except LiquidError as error:
            if isinstance(error, LimitExceeded | FilterRefused):
                raise
            raise FilterRefused(name) from error
        except DATA_FAULTS as error:
            raise FilterRefused(name) from error
        budget.spend(_admit(result))
        return result

    # `wraps` copies the marks by which the library decides what to pass.
    apply.with_environment = False  # type: ignore[attr-defined]
    apply.filter_name = name  # type: ignore[attr-defined]
    return apply


def _admit(value: object) -> int:
    """The weight of a value that goes into a filter or comes out; raises LimitExceeded when it is too large."""
    if isinstance(value, range) and value.stop - value.start > RANGE_LIMIT:
        raise LimitExceeded("range_length")
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS_LIMIT:
        raise LimitExceeded("integer_size")
    size = weight(value)
    if size > VALUE_LIMIT:
        raise LimitExceeded("value_size")
    return size
