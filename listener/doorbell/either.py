"""Hears the one way as long as that works, and the other while it does not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from listener.doorbell.ear import Ear
from listener.doorbell.timing import FeedTiming
from shared.ports import FeedStatus
from shared.supervision import Supervisor

log = logging.getLogger("EnhancedSubscriptionManager")

LOOK_SECONDS = 0.5
ASK_AGAIN_SECONDS = 600.0


class Either:
    """The first way is tried all the time; the second is opened beside it when the first was not proven for a while,
    and closed once it has been for long. So no ring falls between the two; what both hear is handed over once.

    A project that does not have the first way at all is asked again now and then.
    """

    def __init__(
        self,
        first: Callable[[Callable[[], bool]], Ear],
        second: Callable[[], Ear],
        has_first: Callable[[], Awaitable[bool]],
        parts: Supervisor,
        *,
        timing: FeedTiming,
    ) -> None:
        """`first` makes an ear that asks whether the other one covers it; `has_first` asks the project."""
        self._first = first(self._is_covered)
        self._make_second = second
        self._second = second()
        self._has_first = has_first
        self._parts = parts
        self._timing = timing
        self._former = FeedStatus()
        self._opened: asyncio.Task[None] | None = None
        self._first_is_there = True

    @property
    def status(self) -> FeedStatus:
        """That of the way which is relied upon, with the counts of all."""
        used = self._used()
        unused = self._second if used is self._first else self._first
        counted = used.status.after(unused.status).after(self._former)
        return replace(counted, last_error=used.status.last_error or self._first.status.last_error)

    def note_fault(self) -> None:
        """`run` has ended by what nobody foresaw."""
        self._first.note_fault()
        self._second.note_fault()

    async def run(self) -> None:
        """Hear for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while not await self._has_first():
                    self._first_is_there = False
                    self._open_second(tasks)
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
                self._first_is_there = True
                tasks.create_task(self._parts.keep("first way", self._first.run, on_fault=self._first.note_fault))
                await self._watch(tasks)
        finally:
            self._opened = None

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        turned_at, was_proven = loop.time(), False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._first.pulse.is_proven is not was_proven:
                turned_at, was_proven = loop.time(), not was_proven
            since = loop.time() - turned_at
            if not was_proven and since >= self._timing.fall_back_after:
                self._open_second(tasks)
            elif was_proven and since >= self._timing.steady_after:
                await self._close_second()

    def _open_second(self, tasks: asyncio.TaskGroup) -> None:
        if self._opened is None:
            log.warning("feed_falls_back", extra={"reason": self._first.status.last_error})
            self._opened = tasks.create_task(
                self._parts.keep("second way", self._second.run, on_fault=self._second.note_fault)
            )

    async def _close_second(self) -> None:
        if self._opened is None:
            return
        log.info("feed_is_back")
        opened, self._opened = self._opened, None
        opened.cancel()
        await asyncio.wait({opened})
        self._former = self._second.status.after(self._former)
        self._second = self._make_second()

    def _is_covered(self) -> bool:
        return self._opened is not None and self._second.pulse.is_proven

    def _used(self) -> Ear:
        if self._first.pulse.is_proven or self._opened is None:
            return self._first
        return self._second if self._second.pulse.is_proven or not self._first_is_there else self._first
