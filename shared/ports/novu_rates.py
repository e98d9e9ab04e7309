"""Novu's rate, as a process keeps to it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.ports.notification_trigger import FaultCode, TriggerFault
from shared.ports.novu_tokens import RateCategory


@dataclass(frozen=True, slots=True)
class PutOff:
    """A request that is not to be made now, but in about so many seconds."""

    seconds: float
    code: FaultCode
    reason: str

    def fault(self) -> TriggerFault:
        """The same, as an event's result."""
        return TriggerFault(self.reason, self.seconds, self.code)


class NovuRates(Protocol):
    """Keeps a process's requests within Novu's rate. Whoever calls Novu takes before, and heeds afterwards."""

    async def take(
        self, category: RateCategory, lane: Hashable, *, cost: int = 1, within_seconds: float
    ) -> PutOff | None:
        """Wait for one's turn; None: go ahead. Lanes (an enterprise, say) get their tokens by turns. Never raises."""
        ...

    async def heed(self, category: RateCategory, status: int, headers: Mapping[str, str]) -> None:
        """Learn from Novu's answer: its rate, that it is used up, that it is to be paid. Never raises."""
        ...

    def bulk_from(self, category: RateCategory) -> int:
        """From how many events on a bulk request is worth its tokens."""
        ...
