"""The autoscale function's HTTP: a call is a tick. Cloud Scheduler makes one a minute."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.callers import Callers
from functions.connections import Connections
from functions.problems import Problem, ProblemCode, dependency_unavailable
from functions.scaling.autoscaler import Autoscaler, Tick, TickInProgress
from functions.scaling.figures import Figures, read_figures
from functions.scaling.model import HoldReason, Limits
from shared.ports import WorkerPool
from shared.supabase.scaler_store import SupabaseScalerMemory

_DEPENDENCY = {
    HoldReason.TEMPORAL: "temporal",
    HoldReason.CLOUD_RUN: "cloud_run",
    HoldReason.DATABASE: "supabase",
}
"""Who kept a tick from its end."""


class AutoscaleEndpoint:
    """POST, for callers who may act for every enterprise."""

    def __init__(
        self,
        callers: Callers,
        connections: Connections,
        *,
        task_queue: str,
        worker_pool: str,
        open_pool: Callable[[], WorkerPool],
        limits: Limits,
    ) -> None:
        """`open_pool` opens the pool of this name; the first call does so, for no connection outlives a fork."""
        self._callers = callers
        self._connections = connections
        self._task_queue = task_queue
        self._worker_pool = worker_pool
        self._open_pool = open_pool
        self._limits = limits
        self._autoscaler: Autoscaler | None = None

    async def post(self, request: Request) -> Response:
        """Make one tick."""
        if not self._callers.identify(request.headers).is_operator:
            raise Problem(ProblemCode.OPERATORS_ONLY, "the caller may act for some enterprises only; workers serve all")
        if self._autoscaler is None:
            memory = SupabaseScalerMemory(await self._connections.supabase())
            self._autoscaler = Autoscaler(self._worker_pool, self._open_pool, memory, self._read_figures, self._limits)
        try:
            tick = await self._autoscaler.tick()
        except TickInProgress:
            raise Problem(ProblemCode.TICK_IN_PROGRESS, "another tick of this pool is under way") from None
        body = _to_json(tick)
        if tick.reason is HoldReason.DEADLINE:
            raise Problem(
                ProblemCode.DEADLINE_EXCEEDED, f"{tick.error}: the number of workers is left alone", tick=body
            )
        if tick.reason in _DEPENDENCY:
            raise dependency_unavailable(_DEPENDENCY[tick.reason], tick.error or "no answer", tick=body)
        return JSONResponse(body)

    async def _read_figures(self) -> Figures:
        try:
            client = await self._connections.temporal()
        except Problem as problem:
            raise RuntimeError(problem.detail) from None
        return await read_figures(client, self._task_queue)


def _to_json(tick: Tick) -> dict[str, Any]:
    seen, decision = tick.seen, tick.decision
    return {
        "verdict": tick.verdict.value,
        "reason": None if tick.reason is None else tick.reason.value,
        "current": None if seen is None else seen.current,
        "instances": None if decision is None else decision.instances,
        "target": None if decision is None else decision.target,
        "backlog": None if seen is None else seen.backlog,
        "backlogAgeSeconds": None if seen is None else seen.backlog_age_seconds,
        "addedPerSecond": None if seen is None else seen.added_per_second,
        "running": None if seen is None else seen.running,
    }
