"""Publishes what a component says of itself, so that others can tell how it is: health, functions, other machines."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeAlias

from shared.health.observations import ComponentReport, ListenerObservation, WorkerObservation
from shared.ports import HeartbeatStore, StoreUnavailable
from shared.process_usage import ProcessUsage

log = logging.getLogger("HealthMonitor")

HEARTBEAT_SECONDS = 5.0
WITHDRAW_WITHIN_SECONDS = 0.4
"""A worker's shutdown, this and the flush of telemetry together stay below the ten seconds that Cloud Run gives."""


class Reporter:
    """Makes reports of one component of this process, under an id that no other start has."""

    def __init__(self, process: ProcessUsage, observe: Callable[[], ListenerObservation | WorkerObservation]) -> None:
        self.component_id = secrets.token_hex(8)
        self._process = process
        self.observe = observe
        """The component as it is now, without the process."""

    def report(self) -> ComponentReport:
        """The component as it is now."""
        seen = self.observe()
        return ComponentReport(
            component_id=self.component_id,
            reported_at=datetime.now(UTC),
            process=self._process.observe(),
            listener=seen if isinstance(seen, ListenerObservation) else None,
            worker=seen if isinstance(seen, WorkerObservation) else None,
        )


Reporting: TypeAlias = Callable[[Reporter], AbstractAsyncContextManager[None]]
"""What a component enters for as long as it runs, so that others learn of it."""


@asynccontextmanager
async def beating(
    reporter: Reporter, store: HeartbeatStore, *, every_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[None]:
    """Publish reports within the block, and take them away at its end.

    What the database does not take is left out: whoever reads sees the gap. Delivery does not depend on heartbeats.
    """
    beats = asyncio.create_task(_beat(reporter, store, every_seconds), name="heartbeat")
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.wait({beats})  # or a beat under way could come after the withdrawal
        await withdraw([reporter.component_id], store)


async def withdraw(component_ids: Collection[str], store: HeartbeatStore) -> None:
    """Take heartbeats away, if the database takes that soon: otherwise they expire by themselves."""
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(WITHDRAW_WITHIN_SECONDS):
            await asyncio.gather(*(store.withdraw(component_id) for component_id in component_ids))


async def _beat(reporter: Reporter, store: HeartbeatStore, every_seconds: float) -> None:
    published = True
    while True:
        try:
            await store.publish(reporter.report())
            published = True
        except StoreUnavailable as error:
            if published:
                log.warning("heartbeat_not_published", extra={"reason": str(error)})
            published = False
        await asyncio.sleep(every_seconds)
