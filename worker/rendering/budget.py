"""What one rendering may cost. Counted in units of work, not seconds: the same template always ends the same way."""

from typing import Final

from liquid.exceptions import ResourceLimitError

WORK_LIMIT: Final = 6_000_000
"""Units one rendering may spend. A unit is about one character handled; all of them take a few tenths of a second."""

VALUE_LIMIT: Final = 300_000
"""Largest weight of any one value a template computes."""

VARIABLES_LIMIT: Final = 1_000_000
"""Largest weight of all variables a template has assigned or captured, together."""

RANGE_LIMIT: Final = 10_000
"""Longest range, `(1..10000)`."""

INTEGER_BITS_LIMIT: Final = 128
"""Largest integer a filter takes or makes: far beyond what a notification counts."""

STEP_COST: Final = 30
"""Units for one tag, output or expression of the template, whenever it runs."""

ITEM_COST: Final = 8
"""Weight of one item of a list or object, and of a number."""


class LimitExceeded(ResourceLimitError):
    """The rendering wants more than it may have. `limit` names which limit, for the refusal."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit, token=None)
        self.limit = limit


class Budget:
    """The units one rendering, with everything it includes, has left to spend."""

    __slots__ = ("_left",)

    def __init__(self, units: int = WORK_LIMIT) -> None:
        self._left = units

    def spend(self, units: int) -> None:
        """Pay for work about to be done; raises LimitExceeded when it is more than is left."""
        self._left -= units
        if self._left < 0:
            raise LimitExceeded("work")


def weight(value: object) -> int:
    """The size of plain data: characters of its strings plus ITEM_COST for every other part.

    Counting stops beyond VALUE_LIMIT: no caller needs to know how far beyond. A range weighs what its list would.
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, range):
        return ITEM_COST * (value.stop - value.start)
    total = 0
    unseen = [value]
    while unseen and total <= VALUE_LIMIT:
        part = unseen.pop()
        total += ITEM_COST
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, int):
            total += part.bit_length() // 4
        elif isinstance(part, dict):
            total += ITEM_COST * len(part)
            if total <= VALUE_LIMIT:
                unseen.extend(part)
                unseen.extend(part.values())
        elif isinstance(part, list | tuple):
            total += ITEM_COST * len(part)
            if total <= VALUE_LIMIT:
                unseen.extend(part)
    return total


def require_value_fits(size: int) -> None:
    """Raise LimitExceeded unless a value of this weight may exist."""
    if size > VALUE_LIMIT:
        raise LimitExceeded("value_size")
