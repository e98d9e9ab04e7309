"""Gathers the ids of rows that need one kind of work: alone under light load, hundreds at a time in a burst."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.ports import RowChange, RowRetracted
from shared.temporal.messages import MAX_BATCH_SIZE

WINDOW_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one enterprise that one workflow will process; `committed_at` is the earliest commit known of them."""

    work: Work
    enterprise_id: str
    notification_ids: tuple[int, ...]
    committed_at: datetime | None = None


class Batcher:
    """Holds ids for a short window, or until a batch is full, then hands them over.

    Row changes never wait: `offer` says no when there is no room. Sweeps do wait, in `add`.
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
        self._held: deque[int] = deque()
        self._earliest_commit: datetime | None = None
        self._changes_held = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._batch_fits = asyncio.Event()
        self._batch_fits.set()

    def has_room(self) -> bool:
        """Whether a row change may be offered."""
        return len(self._held) < self._room

    def offer(self, change: RowChange | RowRetracted) -> bool:
        """Hold the row of a change; False if it was handed over already. Call only when there is room."""
        if not self._handed_over.take_change(change):
            return False
        self._changes_held += 1
        if isinstance(change, RowChange) and change.committed_at is not None:
            self._earliest_commit = min(self._earliest_commit or change.committed_at, change.committed_at)
        self._hold(change.notification_id)
        return True

    async def add(self, notification_id: int) -> bool:
        """Hold a row that a sweep found, waiting while a batch is full; False if it was handed over already."""
        await self._batch_fits.wait()
        if not self._handed_over.take_due(notification_id):
            return False
        self._hold(notification_id)
        return True

    async def run(self) -> None:
        """Hand batches over for ever. What could not be handed over is still held when this raises."""
        while True:
            await self._arrived.wait()
            try:
                async with asyncio.timeout(self._window_seconds):
                    await self._full.wait()
            except TimeoutError:
                pass  # the window ended before the batch was full
            await self._hand_over_one_batch()

    async def flush(self) -> None:
        """Hand over all that is held, without waiting for the window."""
        while self._held:
            await self._hand_over_one_batch()

    def _hold(self, notification_id: int) -> None:
        self._held.append(notification_id)
        self._note_how_full()

    def _note_how_full(self) -> None:
        _set_if(self._arrived, bool(self._held))
        _set_if(self._full, len(self._held) >= self._batch_size)
        _set_if(self._batch_fits, len(self._held) < self._batch_size)

    async def _hand_over_one_batch(self) -> None:
        """Nothing if nothing is held: a flush may have come while `run` waited for the window to end."""
        count = min(len(self._held), self._batch_size)
        if count == 0:
            return
        ids = tuple(self._held.popleft() for _ in range(count))
        batch = Batch(self._work, self._enterprise_id, ids, self._earliest_commit)
        if count == self._batch_size and self._changes_held:
            self._on_full_batch()
        self._changes_held = 0
        self._earliest_commit = None
        self._note_how_full()
        try:
            await self._hand_over(batch)
        except Exception:
            self._held.extendleft(reversed(ids))
            self._note_how_full()
            raise


def _set_if(event: asyncio.Event, condition: bool) -> None:
    if condition:
        event.set()
    else:
        event.clear()
