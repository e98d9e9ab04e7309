"""The listener and the worker of this process, as they are at the moment of asking."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from shared.health.observations import (
    ComponentReport,
    EnterpriseObservation,
    ListenerObservation,
    SubscriptionState,
    WorkerObservation,
)
from shared.heartbeat import Reporter
from shared.process_usage import ProcessUsage


class LiveComponents:
    """Reports of what runs here; before and after, of what is waiting to start or has ended."""

    def __init__(self, enterprise_ids: Collection[str] | None, process: ProcessUsage) -> None:
        """`enterprise_ids` None: nobody knows before the listener has asked."""
        self._enterprise_ids = tuple(enterprise_ids or ())
        self._process = process
        self._reporters: list[Reporter] = []
        self.component_ids: list[str] = []
        """Of all that have run."""

    @asynccontextmanager
    async def reporting(self, reporter: Reporter) -> AsyncIterator[None]:
        """This one is asked within the block."""
        self._reporters.append(reporter)
        self.component_ids.append(reporter.component_id)
        try:
            yield
        finally:
            self._reporters.remove(reporter)

    def heartbeats(self) -> list[ComponentReport]:
        """Of what runs: what others are told."""
        return [reporter.heartbeat() for reporter in self._reporters]

    def reports(self) -> list[ComponentReport]:
        """One of a listener, one of a worker."""
        reports = [reporter.report() for reporter in self._reporters]
        if not any(report.listener for report in reports):
            waiting = EnterpriseObservation(state=SubscriptionState.RECONNECTING)
            reports.append(self._not_running(listener=ListenerObservation(enterprises=self._waiting(waiting))))
        if not any(report.worker for report in reports):
            reports.append(self._not_running(worker=WorkerObservation(polling=False)))
        return reports

    def _waiting(self, enterprise: EnterpriseObservation) -> dict[str, EnterpriseObservation]:
        return dict.fromkeys(self._enterprise_ids, enterprise)

    def _not_running(
        self, *, listener: ListenerObservation | None = None, worker: WorkerObservation | None = None
    ) -> ComponentReport:
        return ComponentReport(
            component_id="not running",
            reported_at=datetime.now(UTC),
            process=self._process.observe(),
            listener=listener,
            worker=worker,
        )
