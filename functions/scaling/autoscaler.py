"""One tick of the scaler: be the only one, read, decide, do, remember. Whatever goes wrong, the number stays."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from temporalio.service import RPCError

from functions.scaling import metrics
from functions.scaling.decision import decide
from functions.scaling.figures import Figures
from functions.scaling.model import Decision, HoldReason, Limits, Memory, Observation, Verdict
from shared.ports import (
    PoolChanged,
    PoolCount,
    PoolUnavailable,
    ScalerMemory,
    ScalerTick,
    StoreUnavailable,
    WorkerPool,
)

log = logging.getLogger("Autoscaler")

TICK_SECONDS = 4.0
"""By then a tick has read and done what it will."""

END_SECONDS = 2.0
"""For writing down what came of it. Both together stay below the functions' deadline."""

HOLD_SECONDS = 15.0
"""No other tick begins meanwhile, unless this one ends. Longer than any tick lives; a tick whose process died keeps off
no more than its neighbours in the same quarter of a minute.
"""


class TickInProgress(Exception):
    """Another tick of the pool is under way; nothing was read or done."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What came of a tick. Of one that something kept from its end, `error` says what."""

    verdict: Verdict
    reason: HoldReason | None = None
    decision: Decision | None = None
    seen: Observation | None = None
    error: str | None = None


class _Hold(Exception):
    """The number stays as it is."""

    def __init__(self, reason: HoldReason, error: str) -> None:
        super().__init__(error)
        self.reason = reason
        self.error = error


class Autoscaler:
    """The scaler of one pool; there may be others of it, in other processes."""

    def __init__(
        self,
        pool_name: str,
        open_pool: Callable[[], WorkerPool],
        memory: ScalerMemory,
        read_figures: Callable[[], Awaitable[Figures]],
        limits: Limits,
    ) -> None:
        """`open_pool` is called once, by the first tick. `read_figures` raises RPCError, or RuntimeError while there is
        no connection.
        """
        self._pool_name = pool_name
        self._open_pool = open_pool
        self._pool: WorkerPool | None = None
        self._memory = memory
        self._read_figures = read_figures
        self._limits = limits

    async def tick(self) -> Tick:
        """Look once, and have as many workers as are needed.

        Raises:
            TickInProgress: another tick is acting.
        """
        tick, before = await self._tick()
        self._note(tick, before)
        return tick

    async def _tick(self) -> tuple[Tick, Memory | None]:
        begun: ScalerTick | None = None
        seen: Observation | None = None
        before: Memory | None = None
        decision: Decision | None = None
        tick = Tick(Verdict.HOLD, error="it met what nobody foresaw")
        try:
            async with asyncio.timeout(TICK_SECONDS):
                begun = await self._begin()
                before = Memory.from_json(begun.memory)
                seen, count = await self._observe()
                decision = decide(seen, before, self._limits, begun.now)
                if decision.instances != seen.current:
                    await self._set(decision.instances, count)
            tick = Tick(decision.verdict, decision.reason, decision, seen)
        except _Hold as hold:
            tick = Tick(Verdict.HOLD, hold.reason, decision, seen, hold.error)
        except TimeoutError:
            tick = Tick(Verdict.HOLD, HoldReason.DEADLINE, decision, seen, f"no answer within {TICK_SECONDS:g} s")
        finally:  # whatever it has met, the next tick need not wait for it
            if begun is not None:
                await self._end(begun, tick)
        return tick, before

    async def _begin(self) -> ScalerTick:
        try:
            begun = await self._memory.begin_tick(self._pool_name, hold_seconds=HOLD_SECONDS)
        except StoreUnavailable as error:
            raise _Hold(HoldReason.DATABASE, str(error)) from None
        if begun is None:
            raise TickInProgress
        return begun

    async def _observe(self) -> tuple[Observation, PoolCount]:
        count, figures = await asyncio.gather(self._read_count(), self._read_temporal())
        seen = Observation(count.instances, figures.workflow, figures.activity, figures.running)
        return seen, count

    async def _read_temporal(self) -> Figures:
        try:
            return await self._read_figures()
        except (RPCError, RuntimeError) as error:  # RuntimeError: there is no connection yet
            raise _Hold(HoldReason.TEMPORAL, f"{type(error).__name__}: {error}"[:300]) from None

    async def _read_count(self) -> PoolCount:
        try:
            if self._pool is None:
                self._pool = self._open_pool()
            return await self._pool.read()
        except PoolUnavailable as error:
            raise _Hold(HoldReason.CLOUD_RUN, str(error)) from None

    async def _set(self, instances: int, seen: PoolCount) -> None:
        assert self._pool is not None
        try:
            await self._pool.set_count(instances, seen)
        except PoolChanged:
            raise _Hold(HoldReason.POOL_CHANGED, "somebody else has changed the pool meanwhile") from None
        except PoolUnavailable as error:
            raise _Hold(HoldReason.CLOUD_RUN, str(error)) from None

    async def _end(self, begun: ScalerTick, tick: Tick) -> None:
        """Leave the decision for the next tick. If that fails, it decides as if this one had not been: harmless."""
        left = tick.decision.memory if tick.decision is not None and tick.error is None else None
        memory = None if left is None else left.to_json()
        try:
            async with asyncio.timeout(END_SECONDS):
                ended = await self._memory.end_tick(self._pool_name, begun, memory)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("scaler_memory_lost", extra={"pool": self._pool_name, "cause": type(error).__name__})
            return
        if not ended:
            log.warning("scaler_tick_overtaken", extra={"pool": self._pool_name, "version": begun.version})

    def _note(self, tick: Tick, before: Memory | None) -> None:
        """One line for each decision, with all that it was made of; and the metrics."""
        metrics.note(self._pool_name, tick.verdict, tick.reason, tick.decision, tick.seen)
        known = tick.decision.memory if tick.decision is not None else before
        log.info(
            "scaling_decided",
            extra={
                "pool": self._pool_name,
                "verdict": tick.verdict,
                "reason": tick.reason,
                "error": tick.error,
                "current": None if tick.seen is None else tick.seen.current,
                "instances": None if tick.decision is None else tick.decision.instances,
                "target": None if tick.decision is None else tick.decision.target,
                "seen": None if tick.seen is None else asdict(tick.seen),
                "limits": asdict(self._limits),
                "memory_before": None if before is None else before.to_json(),
                "memory": None if known is None else known.to_json(),
            },
        )
