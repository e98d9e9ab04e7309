"""Sees to it that the deployment's orchestration runs and knows this listener's enterprises."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from temporalio.service import RPCError, RPCStatusCode
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from listener.counters import ListenerCounters
from listener.workflows import Workflows
from shared.temporal.orchestration import OrchestrationRun

log = logging.getLogger("TemporalService")


class OrchestrationKeeper:
    """Joins the orchestration once, then only looks; joins again if it is gone.

    One that was told to stop stays stopped until a listener is started anew: that is for an operator to decide.
    """

    def __init__(
        self,
        workflows: Workflows,
        enterprise_ids: Collection[str],
        counters: ListenerCounters,
        *,
        interval_seconds: float,
        first_backoff_seconds: float = 0.5,
    ) -> None:
        self._workflows = workflows
        self._enterprise_ids = tuple(enterprise_ids)
        self._counters = counters
        self._interval_seconds = interval_seconds
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(RPCError),
            wait=wait_random_exponential(multiplier=first_backoff_seconds, max=30.0),
            before_sleep=self._note_failure,
        )
        self._failing_with: RPCStatusCode | None = None
        self._look_requested = asyncio.Event()
        self._stopped = False
        self._has_joined = False

    def look_soon(self) -> None:
        """Look before the interval ends: Temporal was away, and may have come back without its workflows."""
        self._look_requested.set()

    async def run(self) -> None:
        """Keep it running for ever. Run again after a fault it only looks: it has joined once."""
        if not self._has_joined:
            await self._insist(self._join)
        while True:
            try:
                async with asyncio.timeout(self._interval_seconds):
                    await self._look_requested.wait()
            except TimeoutError:
                pass  # nobody asked: the interval's look
            self._look_requested.clear()
            await self._insist(self._look)

    async def _look(self) -> None:
        match await self._workflows.observe_orchestration():
            case OrchestrationRun.RUNNING:
                self._stopped = False
            case OrchestrationRun.STOPPED if not self._stopped:
                self._stopped = True
                log.warning("orchestration_stopped", extra={"hint": "it runs again when a daemon is started"})
            case OrchestrationRun.ABSENT if not self._stopped:  # one that was stopped is deleted some day, too
                log.warning("orchestration_absent")
                await self._join()
                self._counters.orchestration_restarted += 1

    async def _join(self) -> None:
        await self._workflows.join_orchestration(self._enterprise_ids)
        self._has_joined = True
        log.info("orchestration_joined", extra={"enterprises": len(self._enterprise_ids)})

    async def _insist(self, attempt: Callable[[], Awaitable[None]]) -> None:
        await self._retrying.copy()(attempt)
        self._failing_with = None

    def _note_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RPCError) and error.status is not self._failing_with:
            self._failing_with = error.status
            log.error("orchestration_unreachable", extra={"status": error.status.name, "reason": error.message})
