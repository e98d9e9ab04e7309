"""What the orchestration sees of rows and schedulers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unaccounted:
    """Rows that are due and that nobody has held for too long, and the age of the oldest; 0 of both is normal."""

    rows: int
    oldest_age_seconds: float


@dataclass(frozen=True, slots=True)
class SchedulerPass:
    """When an enterprise's scheduler, "cron" or "scheduled", last looked, and the next instant it knew of."""

    enterprise_id: str
    scheduler: str
    last_pass_at: datetime
    next_due_at: datetime | None


class OrchestrationStore(Protocol):
    """What the orchestration shows. All methods raise StoreUnavailable on a passing fault."""

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        """Count the rows that have been due and free for at least so long."""
        ...

    async def unaccounted_in(self, shards: Collection[int], *, older_than_seconds: int) -> Unaccounted:
        """As `unaccounted`, of all that are served in these shards."""
        ...

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        """The last passes, of those schedulers that ever made one."""
        ...
