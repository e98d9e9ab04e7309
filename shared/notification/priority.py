"""Which notification goes before which: 1 first, 5 last; Temporal's own numbers. Pure."""

from typing import Any, Final

FIRST: Final = 1
NORMAL: Final = 3
LAST: Final = 5


def read_priority(value: Any) -> int:
    """The priority of a row's column; anything that is none, null above all, is the normal one."""
    return value if isinstance(value, int) and FIRST <= value <= LAST else NORMAL
