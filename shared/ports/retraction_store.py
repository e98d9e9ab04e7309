"""Notifications that were withdrawn after Novu may have had them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RetractedNotification:
    """A retracted notification that reached Novu; it went out in chunks of `recipient_count` distinct recipients.

    `settled` is False if its claim lapsed without a report: then nobody knows whether it reached Novu. `second_tries`
    are how many chunks each of them has, in their order.
    """

    id: int
    transaction_id: str
    recipient_count: int
    settled: bool = True
    second_tries: tuple[int, ...] = ()


class RetractionStore(Protocol):
    """Retracted rows that Novu is to be asked to cancel. Both methods raise StoreUnavailable on a passing fault."""

    async def retractions_to_cancel(
        self, enterprise_id: str, notification_ids: Sequence[int]
    ) -> list[RetractedNotification]:
        """Those of the rows that are retracted, may have reached Novu, are in nobody's hands, and are not yet
        cancelled.
        """
        ...

    async def record_cancellations(
        self, enterprise_id: str, cancellations: Mapping[int, Mapping[str, Any]]
    ) -> frozenset[int]:
        """Store what Novu answered, by notification id; returns the ids of the rows that carry an answer now.

        An answer should hold `settled` as it was read: where a late report has come in since, it is not stored, and
        the row will be listed again. Safe to repeat: the first answer stays.
        """
        ...
