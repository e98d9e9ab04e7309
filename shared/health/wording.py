"""Words that problems share."""

from collections.abc import Sequence

MOST_NAMED = 5


def listed(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """As in "1 row", "2 rows"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
