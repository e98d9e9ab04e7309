"""Looks now and then at what waits, in the table and in Temporal: only to measure it, only where that is read."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import TypeVar

from opentelemetry.metrics import Observation
from temporalio.service import RPCError

from listener import metrics
from shared.health.observations import TaskQueueObservation
from shared.ports import OrchestrationStore, StoreUnavailable, Unaccounted
from shared.telemetry.metric import Metric, observe, observe_value

LOOK_EVERY_SECONDS = 15.0
STALE_AFTER_LOOKS = 3
"""A figure not renewed for so long is not reported: none is better than one that was true once."""

Seen = TypeVar("Seen")

ReadTaskQueues = Callable[[], Awaitable[Mapping[str, TaskQueueObservation]]]


class Backlog:
    """The latest look at each place, and when it was."""

    def __init__(
        self,
        store: OrchestrationStore,
        read_task_queues: ReadTaskQueues,
        enterprise_ids: Collection[str],
        *,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._read_task_queues = read_task_queues
        self._enterprise_ids = enterprise_ids
        self._look_every_seconds = look_every_seconds
        self._rows: tuple[float, Unaccounted] | None = None
        self._queues: tuple[float, Mapping[str, TaskQueueObservation]] | None = None

    def observe(self) -> None:
        """Have the latest look read whenever metrics are collected."""
        self._observe_rows(metrics.BACKLOG_ROWS, lambda due: due.rows)
        self._observe_rows(metrics.BACKLOG_AGE, lambda due: due.oldest_age_seconds)
        self._observe_queues(metrics.QUEUE_BACKLOG, lambda queue: queue.backlog)
        self._observe_queues(metrics.QUEUE_AGE, lambda queue: queue.backlog_age_seconds)
        self._observe_queues(metrics.QUEUE_POLLERS, lambda queue: queue.pollers)

    async def run(self) -> None:
        """Look for ever; what does not answer is looked at again the next time."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_every_seconds)

    async def look(self) -> None:
        """Look once at both places."""
        with suppress(StoreUnavailable):  # the sweeper says so
            rows = await self._store.unaccounted(self._enterprise_ids, older_than_seconds=0)
            self._rows = (time.monotonic(), rows)
        with suppress(RPCError):  # the dispatcher says so
            queues = await self._read_task_queues()
            self._queues = (time.monotonic(), queues)

    def _observe_rows(self, metric: Metric, value: Callable[[Unaccounted], float]) -> None:
        def read() -> float | None:
            due = self._fresh(self._rows)
            return None if due is None else value(due)

        observe_value(metric, read)

    def _observe_queues(self, metric: Metric, value: Callable[[TaskQueueObservation], float]) -> None:
        def read() -> Iterator[Observation]:
            for task_type, queue in (self._fresh(self._queues) or {}).items():
                yield Observation(value(queue), {"xnovu.task.type": task_type})

        observe(metric, read)

    def _fresh(self, seen: tuple[float, Seen] | None) -> Seen | None:
        if seen is None or time.monotonic() - seen[0] > STALE_AFTER_LOOKS * self._look_every_seconds:
            return None
        return seen[1]
