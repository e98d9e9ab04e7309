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
from worker.rendering.list_filters import items_of
from worker.rendering.template_errors import DATA_FAULTS, FilterRefused, UndefinedVariable
from worker.rendering.undefined import MissingVariable
from worker.rendering.value_text import liquid_text

Filter = Callable[..., Any]

CALL_COST: Final = 100
"""Units for calling a filter at all."""

_TAKES_UNDEFINED: Final = frozenset({"default"})
"""Filters that may be given a variable that is not there."""


def _size_replaced(text: object, sought: object, replacement: object = "", *_: object) -> int:
    text = liquid_text(text)
    return len(text) + text.count(liquid_text(sought)) * len(liquid_text(replacement))


def _size_joined(items: object, separator: object = " ", *_: object) -> int:
    return weight(items) + len(items_of(items)) * len(liquid_text(separator))


def _size_split(text: object, separator: object = "", *_: object) -> int:
    text, separator = liquid_text(text), liquid_text(separator)
    return len(text) + ITEM_COST * (text.count(separator) if separator else len(text))


_SIZE_OF_RESULT: Final[Mapping[str, Callable[..., int]]] = {
    "replace": _size_replaced,
    "join": _size_joined,
    "split": _size_split,
}
"""Filters whose result can be far larger than what they take: its weight, found without computing it."""


def _cost_of_pairs(items: object) -> int:
    """`uniq` compares every item with every other."""
    return 4 * len(items) ** 2 if isinstance(items, list | tuple) else 0


def _cost_of_markdown(text: object) -> int:
    """Markdown looks for the end of a link from every bracket."""
    return 40 * len(str(text)) + str(text).count("[") ** 2 // 8


_EXTRA_COST: Final[Mapping[str, Callable[[object], int]]] = {
    "markdown_to_html": _cost_of_markdown,
    "uniq": _cost_of_pairs,
}
"""Filters whose work grows faster than what they take."""

_COSTLY: Final[Mapping[str, int]] = {
    "sort": 20,
    "sort_natural": 20,
    "strip_html": 8,
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
    takes_undefined = name in _TAKES_UNDEFINED
    extra_cost = _EXTRA_COST.get(name)
    cost_of_unit = _COSTLY.get(name, 1)

    @with_context
    @wraps(function)
    def apply(left: object, *arguments: object, context: PlainDataContext, **named: object) -> object:
        budget = context.rendering.budget
        size = 0
        for value in (left, *arguments, *named.values()):
            if isinstance(value, MissingVariable) and not (takes_undefined and value is left):
                value.refuse()
            size += _admit(value)
        budget.spend(CALL_COST + cost_of_unit * size)
        if size_of_result is not None:
            require_value_fits(size_of_result(left, *arguments))
        if extra_cost is not None:
            budget.spend(extra_cost(left))
        if getattr(function, "with_environment", False):
            named["environment"] = context.env
        if getattr(function, "with_context", False):
            named["context"] = context
        try:
            result = function(left, *arguments, **named)
        except LiquidError as error:
            if isinstance(error, LimitExceeded | FilterRefused | UndefinedVariable):
                raise
            raise FilterRefused(name) from error
        except DATA_FAULTS as error:
            raise FilterRefused(name) from error
        budget.spend(_admit(result))
        return result

    # `wraps` copies the marks by which the library decides what to pass.
    apply.with_environment = False  # type: ignore[attr-defined]
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
