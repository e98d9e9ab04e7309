"""Hands rows that have fallen due to notification processing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from temporalio import activity

from shared.notification.priority import NORMAL
from shared.ports import DueScheduled, ProcessingStarter, ScheduleStore, SharedWork
from shared.shards import shard_of_scheduler
from shared.temporal.messages import MAX_BATCH_SIZE, Portion
from worker.activities.shared_pass import AFTER_A_STUMBLE_SECONDS, see_to_each
from worker.activities.short_waits import LONGEST_WAIT_SECONDS, SHORTEST_TIMER_SECONDS

ROWS_PER_PASS = 10_000
SHARED_ROWS_PER_PASS = 1_000
"""Of each enterprise, where many share a scheduler."""
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


class PortionsStarter(Protocol):
    """Starts the processing of rows that several enterprises have."""

    async def start(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        priority: int = NORMAL,
        others: Sequence[Portion] = (),
    ) -> bool:
        """Start one workflow for these ids and those of `others`; False if that very work runs already."""
        ...


@dataclass(frozen=True, slots=True)
class SharedSchedule:
    """For enterprises that share a scheduler: who needs a pass, and how what they have is started together."""

    work: SharedWork
    starter: PortionsStarter


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look found, by enterprise, and how long it is until there is more."""

    due: Mapping[str, DueScheduled]
    sleep_seconds: float | None


class ScheduledDelivery:
    """What ScheduledNotificationWorkflow does in a pass."""

    def __init__(self, store: ScheduleStore, starter: ProcessingStarter, shared: SharedSchedule | None = None) -> None:
        self._store = store
        self._starter = starter
        self._shared = shared

    @activity.defn(name="start_due")
    async def start_due(self, enterprise_id: str) -> ScheduledPass:
        """Start processing of the due rows, by priority and earliest first, in batches; and of those that fall due in a
        moment.

        Safe to repeat: a batch that runs already is not started again, and a claimed row is not claimed twice.
        The sleep is reckoned by the database's clock, so that no other clock's error makes it early or late.
        """
        shard = shard_of_scheduler(enterprise_id)
        look = partial(self._look, enterprise_id) if shard is None else partial(self._look_at_shared, shard)
        rows = 0
        waiting_for_claim: frozenset[int] = frozenset()
        waited = 0.0
        while True:
            found = await look()
            # Started but not claimed yet is due still: starting it again would only lengthen the queue it waits in.
            fresh = {
                each: [row for row in due.notification_ids if row not in waiting_for_claim]
                for each, due in found.due.items()
            }
            priorities = {row: value for due in found.due.values() for row, value in due.priorities.items()}
            await self._start(fresh, priorities)
            rows += sum(map(len, fresh.values()))
            waiting_for_claim = frozenset(row for due in found.due.values() for row in due.notification_ids)
            sleep_seconds = found.sleep_seconds
            if sleep_seconds is None or sleep_seconds > SHORTEST_TIMER_SECONDS or waited > LONGEST_WAIT_SECONDS:
                return ScheduledPass(rows, sleep_seconds)
            nap = min(sleep_seconds, LONGEST_NAP_SECONDS)
            await asyncio.sleep(nap)
            waited += nap

    async def _look(self, enterprise_id: str) -> _Found:
        due = await self._store.due_scheduled(enterprise_id, limit=ROWS_PER_PASS)
        return _Found({enterprise_id: due}, MORE_ROWS_PAUSE_SECONDS if due.has_more else due.seconds_until_next)

    async def _look_at_shared(self, shard: int) -> _Found:
        """Of all who need it of those that share this scheduler."""
        assert self._shared is not None, "whoever starts such a scheduler has a database for it"
        found: dict[str, DueScheduled] = {}

        async def see_to(enterprise_id: str) -> None:
            found[enterprise_id] = await self._store.due_scheduled(enterprise_id, limit=SHARED_ROWS_PER_PASS)

        work = await self._shared.work.due("scheduled", shard)
        stumbled = await see_to_each(work.enterprise_ids, see_to, what="scheduled")
        ahead = [due.seconds_until_next for due in found.values() if due.seconds_until_next is not None]
        if work.next_due_at is not None:
            ahead.append((work.next_due_at - work.now).total_seconds())
        if work.has_more or any(due.has_more for due in found.values()):
            ahead.append(MORE_ROWS_PAUSE_SECONDS)
        if stumbled:
            ahead.append(AFTER_A_STUMBLE_SECONDS)
        return _Found(found, min(ahead, default=None))

    async def _start(self, rows: Mapping[str, Sequence[int]], priorities: Mapping[int, int]) -> None:
        """The rows of each priority, the first one first; in batches, which several enterprises may share."""
        slots = asyncio.Semaphore(CONCURRENT_STARTS)

        async def start(batch: Sequence[Portion], priority: int) -> None:
            first, *others = batch
            async with slots:
                if others:
                    assert self._shared is not None, "one alone shares with nobody"
                    await self._shared.starter.start(
                        first.enterprise_id, first.notification_ids, priority=priority, others=others
                    )
                else:
                    await self._starter.start(first.enterprise_id, first.notification_ids, priority=priority)

        found = {each: dict(_by_priority(ids, priorities)) for each, ids in rows.items()}
        for priority in sorted({priority for of_one in found.values() for priority in of_one}):
            async with asyncio.TaskGroup() as starts:
                for batch in _batches({each: of_one.get(priority, []) for each, of_one in found.items()}):
                    starts.create_task(start(batch, priority))


def _batches(rows: Mapping[str, Sequence[int]]) -> Iterator[list[Portion]]:
    """Whoever has more than a batch fills batches of his own; what is left over goes together."""
    batch: list[Portion] = []
    room = MAX_BATCH_SIZE
    for enterprise_id, ids in rows.items():
        for first in range(0, len(ids), MAX_BATCH_SIZE):
            portion = Portion(enterprise_id, list(ids[first : first + MAX_BATCH_SIZE]))
            if len(portion.notification_ids) == MAX_BATCH_SIZE:
                yield [portion]
                continue
            if len(portion.notification_ids) > room:
                yield batch
                batch, room = [], MAX_BATCH_SIZE
            batch.append(portion)
            room -= len(portion.notification_ids)
    if batch:
        yield batch


def _by_priority(notification_ids: Sequence[int], priorities: Mapping[int, int]) -> Iterator[tuple[int, list[int]]]:
    """The rows of each priority, the first one first, in their order."""
    found = sorted({priorities.get(each, NORMAL) for each in notification_ids})
    for priority in found:
        yield priority, [each for each in notification_ids if priorities.get(each, NORMAL) == priority]
