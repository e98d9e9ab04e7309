"""Starts a workflow for every batch, and sits out Temporal's absences."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Literal

from temporalio.service import RPCError

from listener.batcher import Batch
from listener.counters import ListenerCounters
from listener.floods import COUNTED_SECONDS, Floods
from listener.tracing import handing_over
from listener.workflows import StartWork, UntilDone, Work
from shared.backoff import Backoff
from shared.supervision import Supervisor

log = logging.getLogger("TemporalService")


class Dispatcher:
    """Takes batches and starts workflows, `concurrency` at a time.

    `floods` are told of each of theirs that it has ended, which `until_done` waits for, or counts no longer. While
    Temporal is away batches are dropped, not kept: the table remembers the rows, and `on_recovery` has them swept once
    a start has succeeded again.
    """

    def __init__(
        self,
        start: Mapping[Work, StartWork],
        counters: ListenerCounters,
        *,
        on_recovery: Callable[[], None],
        floods: Floods,
        until_done: UntilDone,
        concurrency: int = 16,
        first_backoff_seconds: float = 0.5,
    ) -> None:
        self._start = start
        self._counters = counters
        self._on_recovery = on_recovery
        self._floods = floods
        self._until_done = until_done
        self._concurrency = concurrency
        self._first_backoff_seconds = first_backoff_seconds
        self._batches: asyncio.Queue[Batch] = asyncio.Queue(maxsize=concurrency)
        self._available = asyncio.Event()
        self._available.set()

    @property
    def temporal_available(self) -> bool:
        """Whether the latest start was answered."""
        return self._available.is_set()

    async def wait_until_available(self) -> None:
        """Return when starts are being answered."""
        await self._available.wait()

    async def hand_over(self, batch: Batch) -> None:
        """Queue a batch, waiting while the queue is full; dropped while Temporal is away."""
        await self._batches.put(batch)

    async def run(self, parts: Supervisor) -> None:
        """Start workflows for ever. What a starter held when it met a fault is swept once it starts again."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._concurrency):
                start_queued = partial(self._start_queued, tasks, parts)
                tasks.create_task(
                    parts.keep("workflow starter", start_queued, afresh=self._on_recovery), name=f"dispatcher-{number}"
                )

    async def drain(self) -> None:
        """Return when all that was handed over is started, or dropped because Temporal is away."""
        if self.temporal_available:
            await self._batches.join()

    async def _start_queued(self, tasks: asyncio.TaskGroup, parts: Supervisor) -> None:
        while True:
            batch = await self._batches.get()
            is_started = False
            try:
                is_started = await self._start_or_drop(batch)
            finally:
                self._batches.task_done()
                if batch.is_flood and not is_started:
                    self._floods.ended(batch.whose)
            if batch.is_flood and is_started:
                tasks.create_task(parts.attempt("flood", partial(self._follow, batch)), name="flood")

    async def _follow(self, batch: Batch) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(COUNTED_SECONDS):
                    await self._until_done(batch.portions[0])
        finally:  # where nobody can tell, the flood goes on
            self._floods.ended(batch.whose)

    async def _start_or_drop(self, batch: Batch) -> bool:
        if not self.temporal_available:
            return self._drop(batch)
        try:
            await self._start_one(batch)
        except RPCError as error:
            if not self._available.is_set():  # another starter noticed first, and is waiting for Temporal
                return self._drop(batch)
            await self._sit_out_outage(batch, error)
        return True

    async def _start_one(self, batch: Batch) -> None:
        with handing_over(batch):
            started = await self._start[batch.work](batch.portions, priority=batch.priority)
        self._counters.batches += 1
        if started:
            self._counters.workflows_started += 1
            for portion in batch.portions:
                self._counters.enterprises[portion.enterprise_id].workflows_started += 1
        else:
            self._counters.workflows_already_running += 1

    async def _sit_out_outage(self, batch: Batch, error: RPCError) -> None:
        """Try one batch again and again; its success is the sign that Temporal is back."""
        self._available.clear()
        log.error("temporal_unavailable", extra={"status": error.status.name, "reason": error.message})
        backoff = Backoff(self._first_backoff_seconds, cap_seconds=5.0)
        try:
            while not await self._is_answered(batch, backoff):
                pass
        finally:  # whatever ends the waiting: the others wait for this one, and find out by themselves how Temporal is
            self._available.set()
        log.info("temporal_available", extra={"attempts": backoff.failures})
        self._on_recovery()

    async def _is_answered(self, batch: Batch, backoff: Backoff) -> bool:
        await asyncio.sleep(backoff.next_seconds())
        try:
            await self._start_one(batch)
        except RPCError as failure:
            if backoff.failures % 10 == 0:
                log.error("temporal_unavailable", extra={"status": failure.status.name, "attempts": backoff.failures})
            return False
        return True

    def _drop(self, batch: Batch) -> Literal[False]:
        self._counters.rows_dropped_while_temporal_was_away += len(batch.notification_ids)
        return False
