"""What somebody may have meant by a name that there is not."""

from collections.abc import Collection
from difflib import get_close_matches

MOST_NAMED = 40


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A sentence for a hint: the names that are like it, or all of them if none is, as far as anybody reads."""
    if close := get_close_matches(name, sorted(known)):
        return f"did you mean {' or '.join(close)}?"
    return f"it is one of {_listed(known)}."


def active_workflows(key: str, known: Collection[str]) -> str:
    """The same for a workflow's key: what may have been meant, and the enterprise's active ones."""
    if not known:
        return "it has no active workflow at all; is --enterprise right?"
    close = get_close_matches(key, sorted(known), n=1)
    return f"{f'did you mean {close[0]}? ' if close else ''}its active ones: {_listed(known)}."


def _listed(known: Collection[str]) -> str:
    more = f", and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"{', '.join(sorted(known)[:MOST_NAMED])}{more}"
