"""Tells each enterprise's schedulers what they cannot know: a rule changed, a row is due earlier than they think."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import or_

from temporalio.service import RPCError, RPCStatusCode

from listener.bell import Bell
from listener.counters import ListenerCounters
from listener.workflows import Workflows
from shared.supervision import Supervisor

log = logging.getLogger("TemporalService")

CLOCK_TOLERANCE = timedelta(seconds=1)
"""How far the scheduler, who goes by the database's clock, may be ahead of this process."""
TRUSTED_FOR = timedelta(seconds=10)
"""How long a burst of later rows needs no signal. Not for ever: the row told of may vanish before the scheduler looks,
which then sleeps longer than we believe."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ScheduleWaker:
    """Two bells for each enterprise. Nothing here waits but `run` and `flush`; what Temporal has not heard is kept."""

    def __init__(
        self,
        workflows: Workflows,
        enterprise_ids: Collection[str],
        counters: ListenerCounters,
        *,
        wait_until_useful: Callable[[], Awaitable[None]],
        rules_window_seconds: float = 0.2,
        rows_window_seconds: float = 0.05,
        concurrency: int = 16,
        first_backoff_seconds: float = 0.5,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """`wait_until_useful` holds rings back while it is known that Temporal is away."""
        self._workflows = workflows
        self._counters = counters
        self._wait_until_useful = wait_until_useful
        self._first_backoff_seconds = first_backoff_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._told: dict[str, datetime] = {}
        self._told_at: dict[str, datetime] = {}
        self._failing_with: set[RPCStatusCode] = set()
        self._rule_bells = {
            enterprise_id: Bell[bool](
                partial(self._ring_rules, enterprise_id),
                or_,
                window_seconds=rules_window_seconds,
            )
            for enterprise_id in enterprise_ids
        }
        self._row_bells = {
            enterprise_id: Bell[datetime](
                partial(self._ring_rows, enterprise_id),
                min,
                window_seconds=rows_window_seconds,
            )
            for enterprise_id in enterprise_ids
        }

    def rules_changed(self, enterprise_id: str) -> None:
        """Rules changed, or may have."""
        self._rule_bells[enterprise_id].want(True)

    def row_scheduled(self, enterprise_id: str, instant: datetime) -> None:
        """A row is to be sent at this instant."""
        self._row_bells[enterprise_id].want(instant)

    def earliest_row_found(self, enterprise_id: str, instant: datetime) -> None:
        """A sweep found that this is when the next row is to be sent; told only if that may be news."""
        told = self._told.get(enterprise_id)
        if told == instant or self._wakes_in_time(enterprise_id, instant):
            return
        if told is None or instant < told:
            self._counters.recovered_schedule += 1
        self._row_bells[enterprise_id].want(instant)

    async def run(self, parts: Supervisor) -> None:
        """Ring for ever; a bell that breaks keeps its news, and is rung again."""
        async with asyncio.TaskGroup() as ringing:
            for bell in self._bells():
                ring = partial(
                    bell.run,
                    wait_until_useful=self._wait_until_useful,
                    on_failure=self._note_failure,
                    first_backoff_seconds=self._first_backoff_seconds,
                )
                ringing.create_task(parts.keep("scheduler bell", ring))

    async def flush(self, parts: Supervisor) -> None:
        """Tell at once, and only once, what is held. Call when `run` has ended.

        What is not heard now is told by the next listener: its first sweep and its first subscription find it.
        """

        async def tell(bell: Bell[bool] | Bell[datetime]) -> None:
            try:
                await bell.ring_now()
            except RPCError as error:
                self._note_failure(error)

        async with asyncio.TaskGroup() as telling:
            for bell in self._bells():
                telling.create_task(parts.attempt("scheduler bell", partial(tell, bell)))

    def _bells(self) -> Iterable[Bell[bool] | Bell[datetime]]:
        yield from self._rule_bells.values()
        yield from self._row_bells.values()

    async def _ring_rules(self, enterprise_id: str, _: bool) -> None:
        async with self._slots:
            woken = await self._workflows.rules_changed(enterprise_id)
        self._failing_with.clear()
        self._counters.rule_rings += woken

    async def _ring_rows(self, enterprise_id: str, instant: datetime) -> None:
        if self._wakes_in_time(enterprise_id, instant) and self._is_trusted(enterprise_id):
            return
        async with self._slots:
            woken = await self._workflows.row_due_at(enterprise_id, instant)
        self._failing_with.clear()
        self._counters.schedule_rings += woken
        # Asleep because it is stopped, it will know of everything when it is started.
        self._told[enterprise_id], self._told_at[enterprise_id] = instant, self._clock()

    def _wakes_in_time(self, enterprise_id: str, instant: datetime) -> bool:
        """Whether the scheduler was told of an instant to come that is no later."""
        told = self._told.get(enterprise_id)
        return told is not None and self._clock() + CLOCK_TOLERANCE < told <= instant

    def _is_trusted(self, enterprise_id: str) -> bool:
        return self._clock() < self._told_at[enterprise_id] + TRUSTED_FOR

    def _note_failure(self, error: RPCError) -> None:
        if error.status not in self._failing_with:
            self._failing_with.add(error.status)
            log.error("scheduler_not_woken", extra={"status": error.status.name, "reason": error.message})
