"""What somebody may have meant by a name that there is not."""

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A sentence for a hint: the names that are like it, or all of them if none is."""
    if close := get_close_matches(name, sorted(known)):
        return f"did you mean {' or '.join(close)}?"
    return f"it is one of {', '.join(sorted(known))}."
