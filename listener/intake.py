"""Where rows that need work come in, from events and from sweeps, each once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from listener.batcher import Batch, Batcher
from listener.counters import ListenerCounters
from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.ports import RowChange, RowRetracted
from shared.supervision import Supervisor


class Intake:
    """A memory for each kind of work, and a batcher for each enterprise in it."""

    def __init__(
        self,
        enterprise_ids: Collection[str],
        hand_over: Callable[[Batch], Awaitable[None]],
        counters: ListenerCounters,
        *,
        sweep_soon: Callable[[str], None],
        window_seconds: float,
    ) -> None:
        """`sweep_soon` is called when events come faster than they are taken, or are sure to be followed by more."""
        self._counters = counters
        self._sweep_soon = sweep_soon
        self.handed_over = {work: HandedOver() for work in Work}
        self.batchers: Mapping[Work, Mapping[str, Batcher]] = {
            work: {
                enterprise_id: Batcher(
                    work,
                    enterprise_id,
                    self.handed_over[work],
                    hand_over,
                    on_full_batch=partial(sweep_soon, enterprise_id),
                    window_seconds=window_seconds,
                )
                for enterprise_id in enterprise_ids
            }
            for work in Work
        }

    def take(self, change: RowChange | RowRetracted) -> None:
        """Take a row of an event; never waits."""
        work = Work.PROCESSING if isinstance(change, RowChange) else Work.RETRACTION
        batcher = self.batchers[work][change.enterprise_id]
        if not batcher.has_room(change.priority):
            self._counters.queue_full += 1
            self._sweep_soon(change.enterprise_id)
        elif not batcher.offer(change):
            self._counters.changes_already_handed_over += 1

    def forget_all(self) -> None:
        """What was handed over may have been lost."""
        for memory in self.handed_over.values():
            memory.forget_all()

    async def run(self, parts: Supervisor) -> None:
        """Hand batches over for ever; one batcher's trouble is its enterprise's own."""
        async with asyncio.TaskGroup() as batching:
            for work, batchers in self.batchers.items():
                for enterprise_id, batcher in batchers.items():
                    batching.create_task(parts.keep("batcher", batcher.run), name=f"{work} batcher {enterprise_id}")

    async def flush(self) -> None:
        """Hand over all that is held, without waiting for any window."""
        for batchers in self.batchers.values():
            for batcher in batchers.values():
                await batcher.flush()
