"""Publishes what a component says of itself, so that others can tell how it is: health, functions, other machines."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from shared.health.observations import ComponentReport, ListenerObservation, WorkerObservation
from shared.ports import HeartbeatStore, StoreUnavailable
from shared.process_usage import ProcessUsage
from shared.supervision import Supervisor

log = logging.getLogger("HealthMonitor")

HEARTBEAT_SECONDS = 5.0
HEARTBEAT_COUNTS_SECONDS = 12.0
"""Two heartbeats may be late or lost. With a look this is less than the 15 s within which a failure has to show."""
WITHDRAW_WITHIN_SECONDS = 0.4
"""A worker's shutdown, this and the flush of telemetry together stay below the ten seconds that Cloud Run gives."""


class Reporter:
    """Makes reports of one component of this process, under an id that no other start has."""

    def __init__(
        self,
        process: ProcessUsage,
        observe: Callable[[], ListenerObservation | WorkerObservation],
        parts: Supervisor | None = None,
        *,
        component_id: str | None = None,
        brief: Callable[[], ListenerObservation | WorkerObservation] | None = None,
    ) -> None:
        """`parts` keeps what the component consists of, its heartbeat too. `component_id` where it has one already.
        `brief` is what others are told of it, unless that is all that there is to be seen.
        """
        self.component_id = component_id or secrets.token_hex(8)
        self.parts = parts or Supervisor()
        self.published_at: float | None = None
        """When its heartbeat was last taken, by the monotonic clock; None until somebody is to publish it."""
        self._process = process
        self.observe = observe
        """The component as it is now, without the process."""
        self._brief = brief or observe

    def report(self) -> ComponentReport:
        """The component as it is now."""
        return self._report_of(self.observe())

    def heartbeat(self) -> ComponentReport:
        """The same, as others are told of it every few seconds."""
        return self._report_of(self._brief())

    def _report_of(self, seen: ListenerObservation | WorkerObservation) -> ComponentReport:
        return ComponentReport(
            component_id=self.component_id,
            reported_at=datetime.now(UTC),
            process=self._process.observe(),
            listener=seen if isinstance(seen, ListenerObservation) else None,
            worker=seen if isinstance(seen, WorkerObservation) else None,
            failing=self.parts.failing(),
        )

    def has_fallen_silent(self) -> bool:
        """Whether others take the component for dead by now, because no heartbeat of it has been taken lately."""
        return self.published_at is not None and time.monotonic() - self.published_at > HEARTBEAT_COUNTS_SECONDS


Reporting: TypeAlias = Callable[[Reporter], AbstractAsyncContextManager[None]]
"""What a component enters for as long as it runs, so that others learn of it."""


@asynccontextmanager
async def beating(
    reporter: Reporter, store: HeartbeatStore, *, every_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[None]:
    """Publish reports within the block, and take them away at its end.

    What the database does not take is left out: whoever reads sees the gap. Delivery does not depend on heartbeats.
    """
    reporter.published_at = time.monotonic()  # the first one has as much time as any
    beating = reporter.parts.keep("heartbeat", partial(_beat, reporter, store, every_seconds))
    beats = asyncio.create_task(beating, name="heartbeat")
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.wait({beats})  # or a beat under way could come after the withdrawal
        await reporter.parts.attempt("heartbeat", partial(withdraw, [reporter.component_id], store))


async def withdraw(component_ids: Collection[str], store: HeartbeatStore) -> None:
    """Take heartbeats away, if the database takes that soon: otherwise they expire by themselves."""
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(WITHDRAW_WITHIN_SECONDS):
            await asyncio.gather(*(store.withdraw(component_id) for component_id in component_ids))


async def _beat(reporter: Reporter, store: HeartbeatStore, every_seconds: float) -> None:
    published = True
    while True:
        try:
            await store.publish(reporter.heartbeat())
            reporter.published_at = time.monotonic()
            published = True
        except StoreUnavailable as error:
            if published:
                log.warning("heartbeat_not_published", extra={"reason": str(error)})
            published = False
        await asyncio.sleep(every_seconds)
