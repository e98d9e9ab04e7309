"""The pool: hands notifications to child processes in turn and outlives whatever they do to them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from shared.notification.outcomes import Refusal, RefusalCode
from worker.render_pool.calls import Item, RenderCall
from worker.render_pool.child_process import ChildLost, ChildProcess, Loss, RenderPoolUnavailable
from worker.render_pool.quarantine import Quarantine
from worker.render_pool.turns import Turns
from worker.render_pool.wire import forget_frame, read_result
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult

_IN_FLIGHT: Final = 2
"""Items a child holds at once, so that it need not wait for us between two. More are no faster, and who comes next
waits for all of them.
"""

_RESTART_SECONDS: Final = 1.0
"""Pause before another try when a child did not start."""

_LOSSES: Final = {Loss.TIME: 1, Loss.CRASH: 2, Loss.OUTSIDE: 10}
"""How many children an item may cost, by how the last was lost, before it is refused."""

_LIMITS: Final = {Loss.TIME: "time", Loss.CRASH: "memory", Loss.OUTSIDE: "attempts"}
"""The limit that a refusal names."""

_logger = logging.getLogger(__name__)


def _log_defect(error: BaseException) -> None:
    _logger.critical("render_pool_defect", exc_info=error)


class RenderPool:
    """Renders in `processes` children, each limited to `memory_bytes`, each item to `deadline_seconds`.

    A child whose item takes longer, or that dies, is replaced; that item is refused and the others are rendered again.
    Enterprises take turns by what their items cost (`Turns`); what is like the costliest is delayed (`Quarantine`).
    """

    def __init__(
        self,
        *,
        processes: int = 1,
        deadline_seconds: float = 1.0,
        memory_bytes: int = 256 * 2**20,
        on_defect: Callable[[BaseException], None] = _log_defect,
        quarantine: Quarantine | None = None,
    ) -> None:
        """`on_defect` hears of an exception that nobody foresaw; the next call starts the children anew."""
        self._on_defect = on_defect
        self._processes = processes
        self._deadline_seconds = deadline_seconds
        self._memory_bytes = memory_bytes
        self._quarantine = quarantine or Quarantine()
        self._turns = Turns()
        self._open_calls: set[RenderCall] = set()
        self._next_call = 0
        self._work = asyncio.Event()
        self._children: dict[int, ChildProcess] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ready: list[asyncio.Future[None]] = []
        self._closed = False
        self._confinement_told = False

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The children now alive."""
        return tuple(child.process_id for child in self._children.values())

    async def start(self) -> None:
        """Start the children and wait until they are ready. Raises RenderPoolUnavailable."""
        if self._closed:
            raise RenderPoolUnavailable("the render pool is closed")
        if self._tasks:
            return
        self._ready = [asyncio.get_running_loop().create_future() for _ in range(self._processes)]
        self._tasks = [asyncio.create_task(self._serve(seat, ready)) for seat, ready in enumerate(self._ready)]
        for task in self._tasks:
            task.add_done_callback(self._note_end)
        await asyncio.gather(*self._ready)

    async def close(self) -> None:
        """End the children; calls still waiting get RenderPoolUnavailable."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Those that a task was just about to bury when it was cancelled.
        await asyncio.gather(*(child.kill() for child in self._children.values()))
        self._children.clear()
        self._fail_open_calls(RenderPoolUnavailable("the render pool is closed"))

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        """One result for each request, in order. Requests of an enterprise that share their templates mapping send it
        once.

        Raises RenderPoolUnavailable when no child can be had.
        """
        await self.start()
        calls: dict[tuple[str, int], RenderCall] = {}
        places: list[tuple[RenderCall, int]] = []
        for request in requests:
            key = (request.enterprise_id, id(request.templates))
            call = calls.get(key)
            if call is None:
                self._next_call += 1
                call = calls[key] = RenderCall(self._next_call, request.enterprise_id, request.templates)
            places.append((call, call.add(request)))
        self._open_calls.update(calls.values())
        for call in calls.values():
            self._turns.add(call)
            call.complete_if_answered()
        self._work.set()
        try:
            await asyncio.gather(*(call.done for call in calls.values()))
        finally:
            self._open_calls.difference_update(calls.values())
            for call in calls.values():
                call.done.cancel()
        return [call.result(place) for call, place in places]

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """A task ends only by being cancelled. Should a defect end one, the next call starts anew."""
        if task.cancelled():
            return
        if error := task.exception():
            self._on_defect(error)
        for other in self._tasks:
            other.cancel()
        self._tasks = []
        fault = RenderPoolUnavailable("the render pool has broken down")
        for ready in self._ready:
            if not ready.done():
                ready.set_exception(fault)
        self._fail_open_calls(fault)

    async def _serve(self, seat: int, ready: asyncio.Future[None]) -> None:
        """Keep one child at work for ever, replacing it when it is lost."""
        while True:
            try:
                child = await ChildProcess.start(
                    deadline_seconds=self._deadline_seconds, memory_bytes=self._memory_bytes
                )
            except (RenderPoolUnavailable, OSError) as error:
                fault = RenderPoolUnavailable("the rendering process did not start")
                fault.__cause__ = error
                self._fail_open_calls(fault)
                if not ready.done():
                    ready.set_exception(fault)
                await asyncio.sleep(_RESTART_SECONDS)
                continue
            if child.lacking and not self._confinement_told:
                self._confinement_told = True
                _logger.warning("render_child_unconfined", extra={"lacking": child.lacking})
            self._children[seat] = child
            if not ready.done():
                ready.set_result(None)
            in_flight: deque[Item] = deque()
            try:
                await self._feed(child, in_flight)
            except ChildLost as lost:
                self._recover(in_flight, lost)
            finally:
                await child.kill()
                self._children.pop(seat, None)

    async def _feed(self, child: ChildProcess, in_flight: deque[Item]) -> None:
        """Give the child its items and take its answers until it is lost."""
        known: dict[int, RenderCall] = {}
        while True:
            while self._has_room(in_flight) and (item := self._next_item()) is not None:
                if item.call.number not in known:
                    known[item.call.number] = item.call
                    child.send(item.call.templates_frame)
                in_flight.append(item)
                child.send(item.frame)
            if not in_flight:
                self._work.clear()
                await self._work.wait()
                continue
            answer = await child.answer()
            item = in_flight.popleft()
            self._turns.charge(item.call.enterprise_id, child.last_item_seconds)
            self._quarantine.clear(item.fingerprint)
            item.call.answer(item, read_result(answer))
            for call in [call for call in known.values() if call.is_over]:
                child.send(forget_frame(call.number))
                del known[call.number]

    def _has_room(self, in_flight: deque[Item]) -> bool:
        """Whether the child may be given another item: none stands behind one that may take long."""
        return not in_flight or (
            len(in_flight) < _IN_FLIGHT and not any(self._turns.is_costly(it.call.enterprise_id) for it in in_flight)
        )

    def _next_item(self) -> Item | None:
        """The next item to render. Items in quarantine are put off on the way."""
        while (item := self._turns.take()) is not None:
            delay_seconds = self._quarantine.delay_seconds(item.fingerprint)
            if not delay_seconds:
                return item
            item.call.answer(item, RenderDelayed(delay_seconds))
        return None

    def _recover(self, in_flight: deque[Item], lost: ChildLost) -> None:
        """Refuse the item that cost the child, when that is sure, and put the others back at the head of the queue."""
        if not in_flight:
            return
        suspect = in_flight[0]
        suspect.losses += 1
        if lost.loss is not Loss.OUTSIDE:
            self._turns.charge(suspect.call.enterprise_id, self._deadline_seconds)
        _logger.warning("render_child_lost", extra={"templates": suspect.templates, "loss": lost.loss.value})
        if suspect.losses >= _LOSSES[lost.loss]:
            in_flight.popleft()
            self._quarantine.strike(suspect.fingerprint)
            suspect.call.answer(suspect, self._refusal(suspect, _LIMITS[lost.loss]))
        self._turns.put_back(in_flight)
        self._work.set()

    def _refusal(self, item: Item, limit: str) -> Refusal:
        named = ", ".join(item.templates)
        reasons = {
            "time": f"takes more than {self._deadline_seconds:g} s",
            "memory": f"takes more than {self._memory_bytes // 2**20} MB",
            "attempts": f"was cut short {_LOSSES[Loss.OUTSIDE]} times",
        }
        return Refusal(
            RefusalCode.TEMPLATE_LIMIT_EXCEEDED,
            f"Rendering {named} {reasons[limit]}",
            {"templates": item.templates, "limit": limit},
        )

    def _fail_open_calls(self, error: Exception) -> None:
        self._turns.clear()
        for call in self._open_calls:
            if not call.done.done():
                call.done.set_exception(error)
