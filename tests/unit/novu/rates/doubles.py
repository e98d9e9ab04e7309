"""What the deployment shares, by the running loop's clock."""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.ports import RateCategory, TokenBlock

EPOCH = datetime(2026, 11, 28, tzinfo=UTC)


@dataclass
class _Row:
    booked_until: float = -math.inf
    paused_until: float = -math.inf
    unpaid_since: datetime | None = None
    probe_at: float = math.inf


class SharedTokens:
    """Port `NovuTokens`, with the sums of take_novu_tokens (tests/integration/database/test_database_novu_rate.py holds
    the function itself to the same), each answer as slow as a database's.
    """

    def __init__(self, *, answer_seconds: float = 0.01) -> None:
        self._answer_seconds = answer_seconds
        self._rows: defaultdict[RateCategory, _Row] = defaultdict(_Row)
        self.takes = 0
        self.given = 0
        self.fault: Exception | None = None

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
        row, now = await self._row(category)
        self.takes += 1
        if row.unpaid_since is not None:
            if row.probe_at > now:
                return TokenBlock(0, row.probe_at - now, row.unpaid_since)
            row.probe_at = now + probe_seconds
            return TokenBlock(1, 0, row.unpaid_since)
        if row.paused_until > now:
            return TokenBlock(0, row.paused_until - now)
        since = max(row.booked_until, now - burst / per_second)
        most = math.ceil(per_second * (1 - max(since - now, 0)) / 2)
        granted = min(needed, max(most, 1))
        if (now - since) * per_second >= granted + spare + burst / 2:
            granted += spare
        row.booked_until = since + granted / per_second
        self.given += granted
        return TokenBlock(granted, max(row.booked_until - now, 0))

    async def pause(self, category: RateCategory, seconds: float) -> None:
        row, now = await self._row(category)
        row.paused_until = max(row.paused_until, now + seconds)
        row.booked_until = max(row.booked_until, row.paused_until)

    async def note_payment(self, category: RateCategory, *, required: bool, probe_seconds: float) -> None:
        row, now = await self._row(category)
        if not required:
            row.unpaid_since, row.probe_at = None, math.inf
        elif row.unpaid_since is None:
            row.unpaid_since, row.probe_at = EPOCH + timedelta(seconds=now), now + probe_seconds

    async def _row(self, category: RateCategory) -> tuple[_Row, float]:
        await asyncio.sleep(self._answer_seconds)
        if self.fault is not None:
            raise self.fault
        return self._rows[category], asyncio.get_running_loop().time()
