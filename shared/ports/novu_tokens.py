"""A deployment's share of Novu's rate, in the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

RateCategory = Literal["trigger", "configuration", "global"]
"""Novu counts these by themselves: events; subscribers and workflows; everything else."""


@dataclass(frozen=True, slots=True)
class TokenBlock:
    """`granted` requests may be made `wait_seconds` from now; none: Novu takes nothing until then.

    With `unpaid_since` Novu wants to be paid, and the one request granted is to find out whether it still does.
    """

    granted: int
    wait_seconds: float
    unpaid_since: datetime | None = None


class NovuTokens(Protocol):
    """What a deployment may ask of Novu, shared by all its processes. All methods raise StoreUnavailable."""

    async def take(
        self,
        category: RateCategory,
        *,
        needed: int,
        spare: int,
        per_second: float,
        burst: float,
        probe_seconds: float,
    ) -> TokenBlock:
        """A block of at most `needed` tokens, and of `spare` more while there are plenty. What is not used is lost.

        While Novu wants to be paid, one token is given in `probe_seconds`.
        """
        ...

    async def pause(self, category: RateCategory, seconds: float) -> None:
        """Novu has answered that the rate is used up."""
        ...

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        """Novu has answered 402, or takes requests again. Safe to repeat."""
        ...
