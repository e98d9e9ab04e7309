"""Port `NovuRates` where nothing is counted: for tools that make a request or two."""

from collections.abc import Hashable, Mapping

from shared.ports import PutOff, RateCategory

BULK_PAYS_FROM = 3
"""Events; a bulk request costs nothing but its connection."""


class Unmetered:
    """Everybody may go ahead."""

    async def take(
        self, category: RateCategory, lane: Hashable, *, cost: int = 1, within_seconds: float
    ) -> PutOff | None:
        return None

    async def heed(self, category: RateCategory, status: int, headers: Mapping[str, str]) -> None:
        return None

    def bulk_from(self, category: RateCategory) -> int:
        return BULK_PAYS_FROM


UNMETERED = Unmetered()
