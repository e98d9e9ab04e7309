"""The autoscale function's HTTP. A look is a tick, and a call is one or several of them (looks.py)."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.common import WorkerDeploymentVersion

from functions.autoscale_settings import ScaledPool
from functions.callers import Callers
from functions.connections import Connections
from functions.looks import LOOK_SECONDS, parse_looks, when_to_look
from functions.problems import Problem, ProblemCode, dependency_unavailable
from functions.scaling.autoscaler import Autoscaler, Tick, TickInProgress
from functions.scaling.figures import Figures, read_figures
from functions.scaling.model import HoldReason
from shared.ports import ScalerMemory, WorkerPool
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
        pools: Sequence[ScaledPool],
        open_pool: Callable[[str], WorkerPool],
    ) -> None:
        """`open_pool` opens the pool of a name; the first call does so, for no connection outlives a fork."""
        self._callers = callers
        self._connections = connections
        self._task_queue = task_queue
        self._pools = pools
        self._open_pool = open_pool
        self._autoscalers: Sequence[Autoscaler] = ()

    async def post(self, request: Request) -> Response:
        """Look, once or as often as `looks` says, and answer what came of the last look."""
        if not self._callers.identify(request.headers).is_operator:
            raise Problem(ProblemCode.OPERATORS_ONLY, "the caller may act for some enterprises only; workers serve all")
        answer: Response | None = None
        async for _ in when_to_look(parse_looks(request)):
            answer = await self._look()
        assert answer is not None, "it looks once at least"
        return answer

    async def _look(self) -> Response:
        """One tick. What hinders it is answered and no more: the next look may see better."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return JSONResponse(await self._tick())
        except Problem as problem:
            return problem.response()
        except TimeoutError:
            return Problem(ProblemCode.DEADLINE_EXCEEDED, "no answer in time: the number of workers is left").response()

    async def _tick(self) -> dict[str, Any]:
        if not self._autoscalers:
            memory = SupabaseScalerMemory(await self._connections.supabase())
            self._autoscalers = [self._autoscaler(pool, memory) for pool in self._pools]
        # Each to its end, whatever becomes of another.
        ended = await asyncio.gather(*(self._tick_of(each) for each in self._autoscalers), return_exceptions=True)
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        first, *others = (each for each in ended if not isinstance(each, BaseException))
        if others:
            names = (pool.name for pool in self._pools[1:])
            first["others"] = [{"pool": name, **each} for name, each in zip(names, others, strict=True)]
        return first

    def _autoscaler(self, pool: ScaledPool, memory: ScalerMemory) -> Autoscaler:
        read = partial(self._read_figures, pool.build)
        return Autoscaler(pool.name, partial(self._open_pool, pool.name), memory, read, pool.limits)

    async def _tick_of(self, autoscaler: Autoscaler) -> dict[str, Any]:
        try:
            tick = await autoscaler.tick()
        except TickInProgress:
            raise Problem(ProblemCode.TICK_IN_PROGRESS, "another tick of this pool is under way") from None
        body = _to_json(tick)
        if tick.reason is HoldReason.DEADLINE:
            raise Problem(
                ProblemCode.DEADLINE_EXCEEDED, f"{tick.error}: the number of workers is left alone", tick=body
            )
        if tick.reason in _DEPENDENCY:
            raise dependency_unavailable(_DEPENDENCY[tick.reason], tick.error or "no answer", tick=body)
        return body

    async def _read_figures(self, build: WorkerDeploymentVersion | None) -> Figures:
        try:
            client = await self._connections.temporal()
        except Problem as problem:
            raise RuntimeError(problem.detail) from None
        return await read_figures(client, self._task_queue, build)


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
