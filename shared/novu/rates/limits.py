"""How many requests a second Novu takes: by plan, by setting, by what its answers say. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.ports import RateCategory

Plan = Literal["unlimited", "free", "pro", "team", "enterprise"]

PLANS: Mapping[Plan, Mapping[RateCategory, float]] = {
    "unlimited": {},
    "free": {"trigger": 60, "configuration": 20, "global": 30},
    "pro": {"trigger": 240, "configuration": 80, "global": 120},
    "team": {"trigger": 600, "configuration": 200, "global": 300},
    "enterprise": {"trigger": 6000, "configuration": 2000, "global": 3000},
}
"""Tokens a second (docs.novu.co, "Rate limits")."""

SHARE_OF_THE_RATE = 0.95
"""Which is used: Novu's bucket loses fractions of a token each time it is filled, and others may ask a little, too."""

BURST_SECONDS = 2.0
"""What gathers while nobody asks. Novu's own holds 5.5: the rest is for requests that overtake each other."""

WINDOW_SECONDS = 5.0
"""Of Novu's buckets, where the policy does not say."""

_WINDOW = re.compile(r"(?:^|;)w=([0-9]{1,5})(?:;|$)")


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens a second by category; a category that is not named is not counted.

    `plan` is what is assumed until Novu's answers say otherwise, `own` what is never exceeded.
    """

    plan: Mapping[RateCategory, float]
    own: Mapping[RateCategory, float]

    def of(self, category: RateCategory, told: float | None) -> float | None:
        """What may be used. `told` by Novu counts more than the plan. None: as many as one likes."""
        novus = told if told is not None else self.plan.get(category)
        shared = None if novus is None else novus * SHARE_OF_THE_RATE
        figures = [figure for figure in (shared, self.own.get(category)) if figure is not None]
        return min(figures, default=None)


def limits_of(plan: Plan, own: Mapping[RateCategory, float | None]) -> Limits:
    """A plan's, and figures of one's own where they are not None."""
    return Limits(PLANS[plan], {category: figure for category, figure in own.items() if figure is not None})


def told_per_second(headers: Mapping[str, str]) -> float | None:
    """Tokens a second by an answer's `RateLimit-Limit` and `RateLimit-Policy`; None where it does not say.

    `RateLimit-Remaining` is of no use: Novu fills a bucket only when it is empty, so few left may mean many to come.
    """
    text = headers.get("RateLimit-Limit", "").strip()
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 9):
        return None
    window = _WINDOW.search(headers.get("RateLimit-Policy", ""))
    seconds = float(window[1]) if window else WINDOW_SECONDS
    return int(text) / seconds if int(text) and seconds else None
