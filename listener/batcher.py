"""Gathers the ids of rows that need one kind of work: alone under light load, hundreds at a time in a burst, from
however many enterprises.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from listener.floods import Floods, Whose
from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.notification.priority import NORMAL
from shared.ports import RowChange, RowRetracted
from shared.temporal.messages import MAX_BATCH_SIZE, Portion

WINDOW_SECONDS = 0.02

LONGEST_WINDOW_SECONDS = 0.1
"""While rows keep coming, each in a workflow of its own would be more than Temporal takes."""

ROWS_PER_TURN = 5
"""An enterprise's, before others have theirs: what a portion costs the database depends little on its rows."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one priority that one workflow will process, by enterprise; `committed_at` is the earliest commit known
    of them. `is_flood`: one enterprise's fill it, and `Floods` have counted it.
    """

    work: Work
    portions: tuple[Portion, ...]
    committed_at: datetime | None = None
    priority: int = NORMAL
    is_flood: bool = False

    @property
    def whose(self) -> Whose:
        """Of the first portion."""
        return Whose(self.priority, self.portions[0].enterprise_id)

    @property
    def notification_ids(self) -> tuple[int, ...]:
        """Those of every enterprise."""
        return tuple(notification_id for portion in self.portions for notification_id in portion.notification_ids)


@dataclass(slots=True)
class _Held:
    ids: deque[int] = field(default_factory=deque)
    earliest_commit: datetime | None = None
    changes: int = 0
    batch_fits: asyncio.Event = field(default_factory=lambda: _set_if(asyncio.Event(), True))


class Batcher:
    """Hands a lone row over at once, and holds what follows for a short window or until an enterprise fills a batch;
    the first priority goes first.

    An enterprise that fills a batch has it to itself. The others share batches by turns, so that none waits behind
    another's flood and a thousand enterprises with a row each are four batches, not a thousand. Each enterprise has
    room of its own, for each priority. Row changes never wait: `offer` says no when there is no room. Sweeps do wait,
    in `add`.
    """

    def __init__(
        self,
        work: Work,
        handed_over: HandedOver,
        hand_over: Callable[[Batch], Awaitable[None]],
        *,
        on_full_batch: Callable[[str], None],
        window_seconds: float = WINDOW_SECONDS,
        batch_size: int = MAX_BATCH_SIZE,
        room_for_batches: int = 10,
        shared: bool = True,
        floods: Floods | None = None,
    ) -> None:
        """`hand_over` may wait, and so holds the batcher back; `on_full_batch` hears whose changes filled a batch.
        `shared`: whether enterprises share batches. `floods` admit full batches; who hands them over says of each
        when it has ended.
        """
        self._work = work
        self._handed_over = handed_over
        self._hand_over = hand_over
        self._on_full_batch = on_full_batch
        self._window_seconds = window_seconds
        self._batch_size = batch_size
        self._room = batch_size * room_for_batches
        self._shared = shared
        self._floods = floods
        self._flushing = False
        if floods:
            floods.follow(self._note_how_full)
        self._held: dict[Whose, _Held] = {}
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    def has_room(self, enterprise_id: str, priority: int = NORMAL) -> bool:
        """Whether a row change of this enterprise and priority may be offered."""
        held = self._held.get(Whose(priority, enterprise_id))
        return held is None or len(held.ids) < self._room

    def is_held_up(self, enterprise_id: str, priority: int = NORMAL) -> bool:
        """Whether a batch is full of rows that do not begin before others of their enterprise have ended."""
        whose = Whose(priority, enterprise_id)
        return self._is_full(whose) and not self._admits(whose)

    def offer(self, change: RowChange | RowRetracted) -> bool:
        """Hold the row of a change; False if it was handed over already. Call only when there is room."""
        if not self._handed_over.take_change(change):
            return False
        held = self._hold(Whose(change.priority, change.enterprise_id), change.notification_id)
        held.changes += 1
        if isinstance(change, RowChange) and change.committed_at is not None:
            held.earliest_commit = min(held.earliest_commit or change.committed_at, change.committed_at)
        return True

    async def add(self, enterprise_id: str, notification_id: int, priority: int = NORMAL) -> bool:
        """Hold a row that a sweep found, waiting while a batch of its enterprise and priority is full; False if it was
        handed over already.
        """
        whose = Whose(priority, enterprise_id)
        is_full = True
        while is_full:
            await self._of(whose).batch_fits.wait()
            is_full = self._is_full(whose)
        if not self._handed_over.take_due(notification_id):
            return False
        self._hold(whose, notification_id)
        return True

    async def run(self) -> None:
        """Hand batches over for ever. What could not be handed over is still held when this raises.

        A window begins as something is handed over: after a rest the first waits for none. While there is no rest, each
        window is twice as long as the one before.
        """
        loop = asyncio.get_running_loop()
        longest = max(LONGEST_WINDOW_SECONDS, self._window_seconds)
        window, began = self._window_seconds, -math.inf
        while True:
            await self._arrived.wait()
            rested = loop.time() >= began + longest
            with suppress(TimeoutError):  # the window ended before a batch was full
                async with asyncio.timeout_at(max(began + window, 0.0)):
                    await self._full.wait()
            window = self._window_seconds if rested else min(2 * window, longest)
            began = loop.time()
            await self._hand_over_each()
            self._note_how_full()  # where all that came was a flood that is to wait, there is nothing to wake up for

    async def flush(self) -> None:
        """Hand over all that is held, without waiting for the window."""
        self._flushing = True
        try:
            while self._held:
                await self._hand_over_each()
        finally:
            self._flushing = False

    def _hold(self, whose: Whose, notification_id: int) -> _Held:
        held = self._held[whose] = self._of(whose)
        held.ids.append(notification_id)
        if not self._is_full(whose):
            self._arrived.set()
            return held
        held.batch_fits.clear()
        if self._admits(whose):
            self._arrived.set()
            self._full.set()
        return held

    def _admits(self, whose: Whose) -> bool:
        return self._floods is None or self._flushing or self._floods.admits(whose)

    def _is_full(self, whose: Whose) -> bool:
        held = self._held.get(whose)
        return held is not None and len(held.ids) >= self._batch_size

    def _of(self, whose: Whose) -> _Held:
        """What is held of it; something new where that is nothing."""
        return self._held.get(whose) or _Held()

    async def _hand_over_each(self) -> None:
        """A batch of each enterprise and priority at most, so that none waits for ever; before each, what has come in
        ahead of it.
        """
        given: Counter[Whose] = Counter()
        while waiting := self._waiting(given):
            taken = self._take_turns(waiting)
            given.update({whose: len(ids) for whose, ids in taken.items()})
            await self._hand_over_one(taken)

    def _waiting(self, given: Mapping[Whose, int]) -> dict[Whose, int]:
        """How many rows of the first priority each may give yet in this round."""
        allowed = {whose: min(len(held.ids), self._batch_size - given[whose]) for whose, held in self._may_go()}
        first = min((whose.priority for whose, count in allowed.items() if count > 0), default=None)
        return {whose: count for whose, count in allowed.items() if count > 0 and whose.priority == first}

    def _take_turns(self, waiting: dict[Whose, int]) -> dict[Whose, list[int]]:
        """Take the next batch's rows: those of one that fills it, or of all by turns."""
        alone = next((whose for whose, count in waiting.items() if count >= self._batch_size or not self._shared), None)
        if alone is not None:
            return {alone: self._take(alone, waiting[alone])}
        taken: dict[Whose, list[int]] = {}
        room, share = self._batch_size, max(ROWS_PER_TURN, self._batch_size // len(waiting))
        turns = deque(waiting.items())
        while turns and room:
            whose, count = turns.popleft()
            ids = self._take(whose, min(count, share, room))
            taken.setdefault(whose, []).extend(ids)
            room -= len(ids)
            if count > len(ids):
                turns.append((whose, count - len(ids)))
        return taken

    def _take(self, whose: Whose, count: int) -> list[int]:
        ids = self._held[whose].ids
        return [ids.popleft() for _ in range(count)]

    async def _hand_over_one(self, taken: Mapping[Whose, Sequence[int]]) -> None:
        held = {whose: self._held[whose] for whose in taken}
        for whose, ids in taken.items():
            if len(ids) == self._batch_size and held[whose].changes:
                self._on_full_batch(whose.enterprise_id)
        first, *others = taken
        floods = self._floods if not others and len(taken[first]) == self._batch_size else None
        batch = Batch(
            self._work,
            tuple(Portion(whose.enterprise_id, list(ids)) for whose, ids in taken.items()),
            min((it.earliest_commit for it in held.values() if it.earliest_commit is not None), default=None),
            first.priority,
            is_flood=floods is not None,
        )
        for whose in taken:
            self._went(whose)
        if floods:
            floods.began(first)
        self._note_how_full()
        try:
            await self._hand_over(batch)
        except Exception:
            if floods:
                floods.ended(first)
            for whose, ids in taken.items():
                held_again = self._held[whose] = self._of(whose)
                held_again.ids.extendleft(reversed(ids))
                _set_if(held_again.batch_fits, len(held_again.ids) < self._batch_size)
            self._note_how_full()
            raise

    def _went(self, whose: Whose) -> None:
        """After rows were taken: what is left goes behind the others."""
        held = self._held.pop(whose)
        held.changes, held.earliest_commit = 0, None
        if held.ids:
            self._held[whose] = held
        if len(held.ids) < self._batch_size:
            held.batch_fits.set()

    def _note_how_full(self) -> None:
        may_go = self._may_go()
        _set_if(self._arrived, bool(may_go))
        _set_if(self._full, any(self._is_full(whose) for whose, _ in may_go))

    def _may_go(self) -> list[tuple[Whose, _Held]]:
        """All that is held, without floods that are to wait."""
        return [(whose, held) for whose, held in self._held.items() if not self._is_full(whose) or self._admits(whose)]


def _set_if(event: asyncio.Event, condition: bool) -> asyncio.Event:
    if condition:
        event.set()
    else:
        event.clear()
    return event
