"""Deliveries of many rows, and fan-outs, of rows for many people: neither keeps the event loop, the machine, or every
slot from others' single rows.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from weakref import WeakValueDictionary

from temporalio.exceptions import ApplicationError

from shared.novu.rates.lanes import SMALL
from shared.ports import NotificationTrigger, TriggerEvent, TriggerResult
from worker.failures import WORKER_BUSY

AT_ONCE = 3
"""Of one enterprise, in one process. With a hundred every turn of the event loop lasts as long as something of each of
them, and Temporal's next task is taken once a turn; three are enough to keep two processors busy.
"""

SMALL_ARE_ABOUT_SECONDS = 2.0
"""After a small delivery: others like it are to be expected, and find the machine at rest most of the time."""

BEGINNING_SECONDS = 0.1
"""Of a flood. A small one that comes in it is a burst's own: its first row, which waits for no others. So long a flood
may have nothing under way here, and is the same.
"""

REST = 2.0
"""So many times as long as a large one took."""

LONGEST_REST_SECONDS = 1.0
LONGEST_WAIT_FOR_IT_SECONDS = 2.0
"""One that takes longer waits for somebody, for Novu say, and leaves the machine to others as it is."""

MOST_WAITING = 25
"""Of all enterprises, each in a slot that nobody else has meanwhile. The others come again."""

PAUSE_SECONDS = (2.0, 4.0)
"""Until they do: what waits here is more than what is done by then."""

MOST_FAN_OUTS = 16
"""Under way in one process: each is in a slot, with the ids of up to a hundred thousand people."""

MOST_FAN_OUTS_OF_ONE = 10
"""Enterprise."""

FAN_OUT_PAUSE_SECONDS = (10.0, 20.0)
"""Until one that found no room comes again: each time all of its ids are read."""


@dataclass(slots=True, weakref_slot=True)
class _Places:
    """An enterprise's: all of them, and the only one while small deliveries are about."""

    all: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    one: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def leave_one(self) -> None:
        self.one.release()


class LargeDeliveries:
    """Which of them run. Small ones always do."""

    def __init__(self, busy_seconds: Callable[[], float] = time.thread_time) -> None:
        """`busy_seconds`: for how long the event loop has worked so far."""
        self._busy_seconds = busy_seconds
        self._places: WeakValueDictionary[str, _Places] = WeakValueDictionary()
        self._waiting = 0
        self._small_until = 0.0
        self._under_way = 0
        self._since = 0.0
        self._ended_at = float("-inf")
        self._rounds = _Places()
        self._fan_outs: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, enterprise_id: str, rows: int) -> AsyncIterator[None]:
        """While the block runs it is one of few of its enterprise; while small ones are about the only one, and then
        none of its enterprise runs for twice as long as it took. Small ones are about when one came beside large ones.

        Raises:
            ApplicationError: type "WorkerBusy"; too many wait already.
        """
        if rows <= SMALL:
            self._note_small()
            yield
            return
        with self._noted():
            async with self._place(enterprise_id):
                yield

    def _note_small(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._under_way and now - self._since >= BEGINNING_SECONDS:
            self._small_until = now + SMALL_ARE_ABOUT_SECONDS

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """A large one has come, and goes."""
        clock = asyncio.get_running_loop().time
        if not self._under_way and clock() - self._ended_at >= BEGINNING_SECONDS:
            self._since = clock()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended_at = clock()

    @asynccontextmanager
    async def _place(self, enterprise_id: str) -> AsyncIterator[None]:
        places = self._places.setdefault(enterprise_id, _Places())
        if places.all.locked() and self._waiting >= MOST_WAITING:
            raise _busy(PAUSE_SECONDS)
        self._waiting += 1
        try:
            await places.all.acquire()
        finally:
            self._waiting -= 1
        try:
            async with self._beside_small(places):
                yield
        finally:
            places.all.release()

    @contextmanager
    def fan_out(self, enterprise_id: str) -> Iterator[None]:
        """While the block runs it is one of few.

        Raises:
            ApplicationError: type "WorkerBusy"; so many are under way already.
        """
        if self._fan_outs.total() >= MOST_FAN_OUTS or self._fan_outs[enterprise_id] >= MOST_FAN_OUTS_OF_ONE:
            raise _busy(FAN_OUT_PAUSE_SECONDS)
        self._fan_outs[enterprise_id] += 1
        try:
            with self._noted():
                yield
        finally:
            self._fan_outs[enterprise_id] -= 1
            if not self._fan_outs[enterprise_id]:
                del self._fan_outs[enterprise_id]

    @asynccontextmanager
    async def round(self) -> AsyncIterator[None]:
        """A round of a fan-out. A few run at once, whoever's they are, by turns; while small deliveries are about one,
        and then none for twice as long as it kept the event loop busy: most of what a round takes it waits for Novu.
        """
        async with self._rounds.all, self._beside_small(self._rounds, self._busy_seconds):
            yield

    @asynccontextmanager
    async def _beside_small(self, places: _Places, clock: Callable[[], float] | None = None) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        clock = clock or loop.time
        if loop.time() >= self._small_until or not await _within(LONGEST_WAIT_FOR_IT_SECONDS, places.one):
            yield
            return
        began = clock()
        try:
            yield
        finally:
            loop.call_later(min(REST * (clock() - began), LONGEST_REST_SECONDS), places.leave_one)


def _busy(pause_seconds: tuple[float, float]) -> ApplicationError:
    pause = timedelta(seconds=random.uniform(*pause_seconds))
    return ApplicationError("others have their turn at this worker", type=WORKER_BUSY, next_retry_delay=pause)


async def _within(seconds: float, place: asyncio.Semaphore) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await place.acquire()
    except TimeoutError:
        return False


class TriggerByTurns:
    """Port NotificationTrigger, for a fan-out: every round of it waits for its turn."""

    def __init__(self, trigger: NotificationTrigger, large: LargeDeliveries) -> None:
        self._trigger = trigger
        self._large = large

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        async with self._large.round():
            return await self._trigger.trigger(events)
