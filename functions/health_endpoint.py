"""The health and status functions: what listeners and workers last said of themselves, and what Temporal says now.

They hold nothing between calls but connections, so any instance gives the same answer.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.callers import Callers
from functions.connections import Connections
from functions.problems import Problem, ProblemCode, dependency_unavailable
from shared.health.assessment import report_status
from shared.health.observations import TemporalObservation
from shared.health.report import StatusReport
from shared.health_monitor import HealthMonitor
from shared.process_usage import ProcessUsage
from shared.supabase.health_store import SupabaseHealthStore
from shared.temporal.observation import TemporalObserver


class HealthEndpoint:
    """GET, for callers who may see every enterprise."""

    def __init__(
        self,
        callers: Callers,
        connections: Connections,
        *,
        task_queue: str,
        build: str,
        enterprise_ids: Collection[str] = (),
    ) -> None:
        """`enterprise_ids`: those that should be heard."""
        self._enterprise_ids = enterprise_ids
        self._callers = callers
        self._connections = connections
        self._temporal = _TemporalWhenConnected(connections, task_queue)
        self._build = build
        self._monitor: HealthMonitor | None = None

    async def health(self, request: Request) -> Response:
        """The health of the deployment."""
        report = await self._look(request)
        return _answer(report, report.health.to_json())

    async def status(self, request: Request) -> Response:
        """The health, and all that it is concluded from."""
        report = await self._look(request)
        return _answer(report, report.to_json())

    async def _look(self, request: Request) -> StatusReport:
        if not self._callers.identify(request.headers).is_operator:
            raise Problem(ProblemCode.OPERATORS_ONLY, "the caller may act for some enterprises only; this shows all")
        if self._monitor is None:
            supabase = await self._connections.supabase()
            self._monitor = HealthMonitor(
                SupabaseHealthStore(supabase),
                self._temporal,
                ProcessUsage(self._build).observe,
                expected=self._enterprise_ids,
            )
        return report_status(await self._monitor.look(), datetime.now(UTC))


class _TemporalWhenConnected:
    """The port TemporalObserving, also while there is no connection yet."""

    def __init__(self, connections: Connections, task_queue: str) -> None:
        self._connections = connections
        self._task_queue = task_queue
        self._observer: TemporalObserver | None = None

    async def observe(self) -> TemporalObservation:
        if self._observer is None:
            try:
                client = await self._connections.temporal()
            except Problem as problem:
                return TemporalObservation(task_queue=self._task_queue, error=problem.detail)
            self._observer = TemporalObserver(client, self._task_queue)
        return await self._observer.observe()


def _answer(report: StatusReport, body: dict[str, Any]) -> Response:
    """200, or 503 when unhealthy: as a problem that names the dependency, if one does not answer."""
    if report.health.http_status == 200:
        return JSONResponse(body)
    for dependency, error in (
        ("supabase", report.observations.database.error),
        ("temporal", report.observations.temporal.error),
    ):
        if error is not None:
            raise dependency_unavailable(dependency, error, report=body)
    return JSONResponse(body, report.health.http_status)
