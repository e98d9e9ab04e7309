"""What schedulers have to do that many enterprises share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class DueEnterprises:
    """Whom to see to now, and when the first of the others will be due; `now` is the database's clock. `has_more`: ask
    again once these are seen to.
    """

    now: datetime
    enterprise_ids: tuple[str, ...]
    has_more: bool
    next_due_at: datetime | None


class SharedWork(Protocol):
    """Finds those of a shard's enterprises that need a scheduler's pass."""

    async def due(self, scheduler: Literal["cron", "scheduled"], shard: int) -> DueEnterprises:
        """Of those that are served; notes that the shard's scheduler has looked. Raises StoreUnavailable."""
        ...
