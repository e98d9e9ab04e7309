"""Rates of enterprises' own: what one sends is held to its figure, across workers, and nobody else waits for it."""

import asyncio
import math
from collections.abc import Callable, Hashable, Sequence

from shared.novu.rates import Limits, RateKeeper
from shared.novu.rates.lanes import lane_of
from shared.ports import FaultCode, NotificationTrigger, NovuTokens, PutOff, TriggerEvent, TriggerResult

PORTION_SECONDS = 1.0
"""Events whose tokens gather in so long are sent together."""


class OwnRates:
    """A keeper for each enterprise that has a rate of its own; others are not counted here."""

    def __init__(self, per_second: Callable[[str], float | None], tokens: Callable[[str], NovuTokens]) -> None:
        """`per_second`: an enterprise's own rate, as it is known now; `tokens`: its bucket, which all workers share."""
        self.per_second = per_second
        self._tokens = tokens
        self._keepers: dict[str, tuple[float, RateKeeper]] = {}

    def closed(self, enterprise_id: str) -> PutOff | None:
        """Why nothing of the enterprise is sent now, as far as is known here."""
        keeper = self._keeper(enterprise_id)
        return _own(keeper.closed("trigger")) if keeper else None

    def pace(self, enterprise_id: str) -> float | None:
        """Events a second that this process may send for it, as others do too; None: as many as it has turns."""
        keeper = self._keeper(enterprise_id)
        return keeper.pace("trigger") if keeper else None

    async def take(self, enterprise_id: str, lane: Hashable, count: int, *, within_seconds: float) -> PutOff | None:
        """Wait for the tokens of so many events; None: go ahead. Never raises."""
        keeper = self._keeper(enterprise_id)
        if keeper is None:
            return None
        return _own(await keeper.take("trigger", lane, cost=count, within_seconds=within_seconds))

    def _keeper(self, enterprise_id: str) -> RateKeeper | None:
        per_second = self.per_second(enterprise_id)
        if per_second is None:
            self._keepers.pop(enterprise_id, None)
            return None
        known = self._keepers.get(enterprise_id)
        if known is None or known[0] != per_second:  # what waits by another rate gets its turn by that
            known = per_second, RateKeeper(self._tokens(enterprise_id), Limits({}, {"trigger": per_second}))
            self._keepers[enterprise_id] = known
        return known[1]


class OwnRateTrigger:
    """Port NotificationTrigger, for events of one enterprise a call: as many go on as its own rate allows by then."""

    def __init__(self, trigger: NotificationTrigger, rates: OwnRates, *, patience_seconds: float) -> None:
        """`patience_seconds`: how long the events of one call wait; the others are put off."""
        self._trigger = trigger
        self._rates = rates
        self._patience_seconds = patience_seconds

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        """One result for each event, in order. Never raises."""
        per_second = self._rates.per_second(events[0].enterprise_id) if events else None
        if per_second is None:
            return await self._trigger.trigger(events)
        enterprise_id = events[0].enterprise_id
        now = asyncio.get_running_loop().time
        until = now() + self._patience_seconds
        portion = max(math.floor(per_second * PORTION_SECONDS), 1)
        results: list[TriggerResult] = []
        for first in range(0, len(events), portion):
            some = events[first : first + portion]
            left_seconds = max(until - now(), 0.0)
            put_off = await self._rates.take(
                enterprise_id, lane_of(enterprise_id, len(events)), len(some), within_seconds=left_seconds
            )
            if put_off is not None:
                return results + [put_off.fault()] * (len(events) - first)
            results += await self._trigger.trigger(some)
        return results


def _own(put_off: PutOff | None) -> PutOff | None:
    if put_off is None:
        return None
    return PutOff(put_off.seconds, FaultCode.ENTERPRISE_RATE, "the enterprise's own rate is used up for now")
