"""Which of many enterprises are shown: those in trouble first, so many at a time, or those that are searched for."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from shared.health.observations import DueRows, SubscriptionState

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """The `page` (the first is 1) of the enterprises whose ids hold `search`, in whatever case."""

    search: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """`enterprise_ids` are those of the page; `matching` of `total` were searched for. A page too high is the last."""

    enterprise_ids: tuple[str, ...]
    total: int
    matching: int
    search: str
    page: int
    pages: int

    def to_json(self) -> dict[str, Any]:
        """All but the ids."""
        return {
            "total": self.total,
            "matching": self.matching,
            "search": self.search,
            "page": self.page,
            "pages": self.pages,
        }


def choose(
    enterprise_ids: Collection[str],
    states: Mapping[str, SubscriptionState],
    due: Mapping[str, DueRows],
    wanted: Wanted,
    troubled: Collection[str] = (),
) -> Shown:
    """Those that are not subscribed come first, then the `troubled`, then those whose rows wait the longest, then all
    by their ids.
    """
    search = wanted.search.casefold()
    matching = sorted(
        (each for each in enterprise_ids if search in each.casefold()), key=by_trouble(states, due, troubled)
    )
    pages = max(1, -(-len(matching) // MOST_SHOWN))
    page = min(max(1, wanted.page), pages)
    first = (page - 1) * MOST_SHOWN
    shown = tuple(matching[first : first + MOST_SHOWN])
    return Shown(shown, len(enterprise_ids), len(matching), wanted.search, page, pages)


def by_trouble(
    states: Mapping[str, SubscriptionState], due: Mapping[str, DueRows], troubled: Collection[str] = ()
) -> Callable[[str], tuple[bool, bool, float, str]]:
    """What to sort enterprises by."""

    def key(enterprise_id: str) -> tuple[bool, bool, float, str]:
        waits = due.get(enterprise_id)
        is_heard = states.get(enterprise_id) is SubscriptionState.SUBSCRIBED
        age = waits.oldest_age_seconds if waits and waits.rows else 0.0
        return is_heard, enterprise_id not in troubled, -age, enterprise_id

    return key
