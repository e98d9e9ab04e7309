"""Looks at everything that health is concluded from, every few seconds or when asked."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from shared.health.observations import (
    ComponentReport,
    DatabaseObservation,
    FailingPart,
    Observations,
    ProcessObservation,
    TemporalObservation,
)
from shared.heartbeat import HEARTBEAT_COUNTS_SECONDS
from shared.ports import HealthStore, StoreUnavailable, TemporalObserving

LOOK_EVERY_SECONDS = 3.0
ANSWER_WITHIN_SECONDS = 3.0
RECENT_SECONDS = 60.0
FAILURES_SHOWN = 20


class HealthMonitor:
    """Observations of a deployment. What has no answer keeps its last one, with the error beside it."""

    def __init__(
        self,
        store: HealthStore,
        temporal: TemporalObserving,
        observe_process: Callable[[], ProcessObservation],
        *,
        own_reports: Callable[[], Sequence[ComponentReport]] = tuple,
        heartbeats: Callable[[], Sequence[ComponentReport]] = tuple,
        failing: Callable[[], tuple[FailingPart, ...]] = tuple,
        expected: Collection[str] = (),
    ) -> None:
        """`own_reports` are of the components in this process: theirs are taken from the objects themselves.
        `heartbeats` are those among them that run; each look publishes them for others to see. `failing` are parts of
        this process that belong to no component. `expected`: the enterprises that settings name.
        """
        self._expected = tuple(expected)
        self._failing = failing
        self._heartbeats = heartbeats
        self._store = store
        self._temporal = temporal
        self._observe_process = observe_process
        self._own_reports = own_reports
        self._others: list[ComponentReport] = []
        self._database = DatabaseObservation()
        self._observed_temporal = TemporalObservation()

    async def run(self, every_seconds: float = LOOK_EVERY_SECONDS, on_look: Callable[[], None] = lambda: None) -> None:
        """Look for ever; `on_look` is called after each look."""
        while True:
            await self.look()
            on_look()
            await asyncio.sleep(every_seconds)

    async def look(self) -> Observations:
        """Ask everybody once, which takes a few seconds at most, and return what is known then."""
        async with asyncio.TaskGroup() as asking:
            asking.create_task(self._look_at_database())
            asking.create_task(self._look_at_temporal())
        return self.observations()

    @property
    def database(self) -> DatabaseObservation:
        """As of the latest look."""
        return self._database

    def observations(self) -> Observations:
        """What is known now: the components of this process as they are, all else as of the latest look."""
        own = tuple(self._own_reports())
        own_ids = {report.component_id for report in own}
        return Observations(
            observer=self._observe_process(),
            components=(*own, *(report for report in self._others if report.component_id not in own_ids)),
            temporal=self._observed_temporal,
            database=self._database,
            failing=self._failing(),
            own_ids=frozenset(own_ids),
            expected=self._expected,
        )

    async def _look_at_database(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                self._others, self._database = await self._store.look(
                    self._heartbeats(),
                    expected=self._expected,
                    max_age_seconds=HEARTBEAT_COUNTS_SECONDS,
                    recent_seconds=RECENT_SECONDS,
                    failures=FAILURES_SHOWN,
                )
        except StoreUnavailable as error:
            self._database = replace(self._database, error=f"Supabase: {error}", error_code=error.code)
        except TimeoutError:
            reason = f"Supabase does not answer within {ANSWER_WITHIN_SECONDS:g} s"
            self._database = replace(self._database, error=reason, error_code=None)

    async def _look_at_temporal(self) -> None:
        self._observed_temporal = await self._temporal.observe()
