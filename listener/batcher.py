"""Gathers the ids of rows that need one kind of work: alone under light load, hundreds at a time in a burst."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.notification.priority import NORMAL
from shared.ports import RowChange, RowRetracted
from shared.temporal.messages import MAX_BATCH_SIZE

WINDOW_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one enterprise and priority that one workflow will process; `committed_at` is the earliest commit known
    of them.
    """

    work: Work
    enterprise_id: str
    notification_ids: tuple[int, ...]
    committed_at: datetime | None = None
    priority: int = NORMAL


@dataclass(slots=True)
class _Held:
    """What waits of one priority."""

    ids: deque[int] = field(default_factory=deque)
    earliest_commit: datetime | None = None
    changes: int = 0
    batch_fits: asyncio.Event = field(default_factory=asyncio.Event)


class Batcher:
    """Hands a lone row over at once, and holds what follows for a short window or until a batch is full; the first
    priority goes first.

    Priorities share neither a batch nor room: what comes first never waits behind what comes later. Row changes never
    wait: `offer` says no when there is no room. Sweeps do wait, in `add`.
    """

    def __init__(
        self,
        work: Work,
        enterprise_id: str,
        handed_over: HandedOver,
        hand_over: Callable[[Batch], Awaitable[None]],
        *,
        on_full_batch: Callable[[], None],
        window_seconds: float = WINDOW_SECONDS,
        batch_size: int = MAX_BATCH_SIZE,
        room_for_batches: int = 10,
    ) -> None:
        """`hand_over` may wait, and so holds the batcher back; `on_full_batch` hears of a batch that changes filled."""
        self._work = work
        self._enterprise_id = enterprise_id
        self._handed_over = handed_over
        self._hand_over = hand_over
        self._on_full_batch = on_full_batch
        self._window_seconds = window_seconds
        self._batch_size = batch_size
        self._room = batch_size * room_for_batches
        self._held: dict[int, _Held] = {}
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    def has_room(self, priority: int = NORMAL) -> bool:
        """Whether a row change of this priority may be offered."""
        held = self._held.get(priority)
        return held is None or len(held.ids) < self._room

    def offer(self, change: RowChange | RowRetracted) -> bool:
        """Hold the row of a change; False if it was handed over already. Call only when there is room."""
        if not self._handed_over.take_change(change):
            return False
        held = self._held_of(change.priority)
        held.changes += 1
        if isinstance(change, RowChange) and change.committed_at is not None:
            held.earliest_commit = min(held.earliest_commit or change.committed_at, change.committed_at)
        held.ids.append(change.notification_id)
        self._note_how_full()
        return True

    async def add(self, notification_id: int, priority: int = NORMAL) -> bool:
        """Hold a row that a sweep found, waiting while a batch of its priority is full; False if it was handed over
        already.
        """
        await self._held_of(priority).batch_fits.wait()
        if not self._handed_over.take_due(notification_id):
            return False
        self._held_of(priority).ids.append(notification_id)
        self._note_how_full()
        return True

    async def run(self) -> None:
        """Hand batches over for ever. What could not be handed over is still held when this raises.

        A window begins as something is handed over: after a rest the first waits for none.
        """
        loop = asyncio.get_running_loop()
        window_ends = loop.time()
        while True:
            await self._arrived.wait()
            with suppress(TimeoutError):  # the window ended before the batch was full
                async with asyncio.timeout_at(window_ends):
                    await self._full.wait()
            window_ends = loop.time() + self._window_seconds
            await self._hand_over_each()

    async def flush(self) -> None:
        """Hand over all that is held, without waiting for the window."""
        while any(held.ids for held in self._held.values()):
            await self._hand_over_each()

    def _held_of(self, priority: int) -> _Held:
        if priority not in self._held:
            self._held[priority] = _Held()
            self._note_how_full()
        return self._held[priority]

    def _note_how_full(self) -> None:
        counts = [len(held.ids) for held in self._held.values()]
        _set_if(self._arrived, any(counts))
        _set_if(self._full, max(counts, default=0) >= self._batch_size)
        for held in self._held.values():
            _set_if(held.batch_fits, len(held.ids) < self._batch_size)

    async def _hand_over_each(self) -> None:
        """A batch of each priority, so that none waits for ever; before each, what has come in ahead of it."""
        handed: set[int] = set()
        while waiting := [it for it, held in self._held.items() if held.ids and it not in handed]:
            await self._hand_over_one_batch(min(waiting))
            handed.add(min(waiting))

    async def _hand_over_one_batch(self, priority: int) -> None:
        """Nothing if nothing is held: a flush may have come while `run` waited for the window to end."""
        held = self._held_of(priority)
        count = min(len(held.ids), self._batch_size)
        if count == 0:
            return
        ids = tuple(held.ids.popleft() for _ in range(count))
        batch = Batch(self._work, self._enterprise_id, ids, held.earliest_commit, priority)
        if count == self._batch_size and held.changes:
            self._on_full_batch()
        held.changes = 0
        held.earliest_commit = None
        self._note_how_full()
        try:
            await self._hand_over(batch)
        except Exception:
            held.ids.extendleft(reversed(ids))
            self._note_how_full()
            raise


def _set_if(event: asyncio.Event, condition: bool) -> None:
    if condition:
        event.set()
    else:
        event.clear()
