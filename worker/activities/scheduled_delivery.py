"""Hands rows that have fallen due to notification processing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from temporalio import activity

from shared.notification.priority import NORMAL
from shared.ports import ProcessingStarter, ScheduleStore
from shared.temporal.messages import MAX_BATCH_SIZE
from worker.activities.short_waits import LONGEST_WAIT_SECONDS, SHORTEST_TIMER_SECONDS

ROWS_PER_PASS = 10_000
CONCURRENT_STARTS = 16
MORE_ROWS_PAUSE_SECONDS = 1.0
"""A pass that was full comes again after this, when processing has claimed the rows it was given."""

LONGEST_NAP_SECONDS = 0.4
"""How long such a wait may overlook a row that was scheduled meanwhile, for an earlier instant."""


@dataclass(frozen=True)
class ScheduledPass:
    """Rows handed on, and how long to sleep until the next falls due; None while none is scheduled."""

    rows: int
    sleep_seconds: float | None


class ScheduledDelivery:
    """What ScheduledNotificationWorkflow does in a pass."""

    def __init__(self, store: ScheduleStore, starter: ProcessingStarter) -> None:
        self._store = store
        self._starter = starter

    @activity.defn(name="start_due")
    async def start_due(self, enterprise_id: str) -> ScheduledPass:
        """Start processing of the due rows, by priority and earliest first, in batches; and of those that fall due in a
        moment.

        Safe to repeat: a batch that runs already is not started again, and a claimed row is not claimed twice.
        The sleep is reckoned by the database's clock, so that no other clock's error makes it early or late.
        """
        rows = 0
        waiting_for_claim: frozenset[int] = frozenset()
        waited = 0.0
        while True:
            due = await self._store.due_scheduled(enterprise_id, limit=ROWS_PER_PASS)
            # Started but not claimed yet is due still: starting it again would only lengthen the queue it waits in.
            fresh = [each for each in due.notification_ids if each not in waiting_for_claim]
            for priority, ids in _by_priority(fresh, due.priorities):
                await self._start(enterprise_id, ids, priority)
            rows += len(fresh)
            waiting_for_claim = frozenset(due.notification_ids)
            sleep_seconds = MORE_ROWS_PAUSE_SECONDS if due.has_more else due.seconds_until_next
            if sleep_seconds is None or sleep_seconds > SHORTEST_TIMER_SECONDS or waited > LONGEST_WAIT_SECONDS:
                return ScheduledPass(rows, sleep_seconds)
            nap = min(sleep_seconds, LONGEST_NAP_SECONDS)
            await asyncio.sleep(nap)
            waited += nap

    async def _start(self, enterprise_id: str, notification_ids: Sequence[int], priority: int) -> None:
        slots = asyncio.Semaphore(CONCURRENT_STARTS)

        async def start(batch: Sequence[int]) -> None:
            async with slots:
                await self._starter.start(enterprise_id, batch, priority=priority)

        async with asyncio.TaskGroup() as starts:
            for first in range(0, len(notification_ids), MAX_BATCH_SIZE):
                starts.create_task(start(notification_ids[first : first + MAX_BATCH_SIZE]))


def _by_priority(notification_ids: Sequence[int], priorities: Mapping[int, int]) -> Iterator[tuple[int, list[int]]]:
    """The rows of each priority, the first one first, in their order."""
    found = sorted({priorities.get(each, NORMAL) for each in notification_ids})
    for priority in found:
        yield priority, [each for each in notification_ids if priorities.get(each, NORMAL) == priority]
