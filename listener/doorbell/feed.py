"""RowChangeFeed over Realtime: one stream of events, whichever way the rings are carried."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from listener.doorbell import unreadable_frames
from listener.doorbell.outbox import Outbox
from shared.ports import FeedEvent, FeedStatus
from shared.supervision import Supervisor


class Hearing(Protocol):
    """Hears rings, one way or the other, into the feed's outbox."""

    @property
    def status(self) -> FeedStatus: ...

    async def run(self) -> None:
        """For ever; leaves everything when it is cancelled."""
        ...

    def note_fault(self) -> None:
        """`run` has ended by what nobody foresaw; it is begun anew."""
        ...


class DoorbellFeed:
    """The port RowChangeFeed. It hears from the first call of `events` until `close`, whoever listens."""

    def __init__(self, hearing: Hearing, outbox: Outbox, parts: Supervisor) -> None:
        """`parts` keeps the hearing alive."""
        self._hearing = hearing
        self._outbox = outbox
        self._parts = parts
        self._running: asyncio.Task[None] | None = None

    @property
    def status(self) -> FeedStatus:
        """What was observed of the way, or ways, that it hears."""
        return self._hearing.status

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Changes and gaps as they come, until closed."""
        if self._running is None:
            unreadable_frames.install()
            running = self._parts.keep("realtime", self._hearing.run, on_fault=self._hearing.note_fault)
            self._running = asyncio.create_task(running, name="realtime")
            self._running.add_done_callback(lambda _: self._outbox.close())
        while (event := await self._outbox.take()) is not None:
            yield event

    async def close(self) -> None:
        """Leave all seats and end `events`; closing twice is harmless."""
        self._outbox.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
