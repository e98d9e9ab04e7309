"""The listener and the worker of this process, as they are at the moment of asking."""

from collections.abc import Collection
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
    """Reports of all that has been announced; before that, of what is still waiting to start."""

    def __init__(self, enterprise_ids: Collection[str], process: ProcessUsage) -> None:
        self._enterprise_ids = tuple(enterprise_ids)
        self._process = process
        self._reporters: list[Reporter] = []

    def announce(self, reporter: Reporter) -> None:
        """From now on this one is asked."""
        self._reporters.append(reporter)

    def reports(self) -> list[ComponentReport]:
        """One of a listener, one of a worker."""
        reports = [reporter.report() for reporter in self._reporters]
        if not any(report.listener for report in reports):
            waiting = EnterpriseObservation(state=SubscriptionState.RECONNECTING)
            reports.append(self._starting(listener=ListenerObservation(enterprises=self._waiting(waiting))))
        if not any(report.worker for report in reports):
            reports.append(self._starting(worker=WorkerObservation(polling=False)))
        return reports

    def _waiting(self, enterprise: EnterpriseObservation) -> dict[str, EnterpriseObservation]:
        return dict.fromkeys(self._enterprise_ids, enterprise)

    def _starting(
        self, *, listener: ListenerObservation | None = None, worker: WorkerObservation | None = None
    ) -> ComponentReport:
        return ComponentReport(
            component_id="starting",
            reported_at=datetime.now(UTC),
            process=self._process.observe(),
            listener=listener,
            worker=worker,
        )
