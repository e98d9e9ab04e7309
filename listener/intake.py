"""Where rows that need work come in, from events and from sweeps, each once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from listener.batcher import Batch, Batcher
from listener.counters import ListenerCounters
from listener.floods import Floods
from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.ports import RowChange, RowRetracted
from shared.supervision import Supervisor


class Intake:
    """A memory and a batcher for each kind of work."""

    def __init__(
        self,
        hand_over: Callable[[Batch], Awaitable[None]],
        counters: ListenerCounters,
        *,
        sweep_soon: Callable[[str], None],
        window_seconds: float,
        floods: Floods,
    ) -> None:
        """`sweep_soon` is called when events come faster than they are taken, or are sure to be followed by more;
        `floods` admit rows to be sent.
        """
        self._counters = counters
        self._sweep_soon = sweep_soon
        self.handed_over = {work: HandedOver() for work in Work}
        self.batchers: Mapping[Work, Batcher] = {
            work: Batcher(
                work,
                self.handed_over[work],
                hand_over,
                on_full_batch=sweep_soon,
                window_seconds=window_seconds,
                shared=work is Work.PROCESSING,
                floods=floods if work is Work.PROCESSING else None,
            )
            for work in Work
        }

    def take(self, change: RowChange | RowRetracted) -> None:
        """Take a row of an event; never waits."""
        work = Work.PROCESSING if isinstance(change, RowChange) else Work.RETRACTION
        batcher = self.batchers[work]
        if not batcher.has_room(change.enterprise_id, change.priority):
            self._counters.queue_full += 1
            if not batcher.is_held_up(change.enterprise_id, change.priority):  # else the table is read when it goes on
                self._sweep_soon(change.enterprise_id)
        elif not batcher.offer(change):
            self._counters.changes_already_handed_over += 1

    def forget_all(self) -> None:
        """What was handed over may have been lost."""
        for memory in self.handed_over.values():
            memory.forget_all()

    async def run(self, parts: Supervisor) -> None:
        """Hand batches over for ever."""
        async with asyncio.TaskGroup() as batching:
            for work, batcher in self.batchers.items():
                batching.create_task(parts.keep("batcher", batcher.run), name=f"{work} batcher")

    async def flush(self) -> None:
        """Hand over all that is held, without waiting for any window."""
        for batcher in self.batchers.values():
            await batcher.flush()
