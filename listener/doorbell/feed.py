"""RowChangeFeed over Realtime: one socket, one stream of events, whichever way the rings are carried."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from listener.doorbell import unreadable_frames
from listener.doorbell.access_key import warn_before_expiry
from listener.doorbell.canary import Canary
from listener.doorbell.observer import FeedObserver
from listener.doorbell.outbox import Outbox
from listener.doorbell.pulse import Pulse
from listener.doorbell.reader_callbacks import ReaderCallbacks
from listener.doorbell.socket_supervisor import DEFECT, SocketSupervisor
from listener.doorbell.timing import FeedTiming
from listener.doorbell.way import Way
from shared.ports import FeedEvent, NotificationStore
from shared.supervision import Supervisor

PATH = "/realtime/v1"
LISTENER_ID = "listener-1"
"""All listeners share it: any later beat, whoever has rung it, proves the same."""


class DoorbellFeed:
    """The port RowChangeFeed. The socket lives from the first call of `events` until `close`, whoever listens."""

    def __init__(
        self,
        supabase_url: str,
        key: str,
        enterprise_ids: Sequence[str],
        store: NotificationStore,
        way: Way,
        *,
        max_retries: int,
        timing: FeedTiming,
        parts: Supervisor | None = None,
    ) -> None:
        """`store` rings the canary's beats; after `max_retries` failures in a row the state is FAILED. `parts` keeps
        the socket and its seats.
        """
        self._parts = parts or Supervisor()
        self._observer = FeedObserver(way.name, enterprise_ids, max_retries=max_retries)
        self.status = self._observer.status
        self._key = key
        self._enterprise_ids = enterprise_ids
        self._outbox = Outbox()
        self._running: asyncio.Task[None] | None = None
        pulse = Pulse(enterprise_ids, self._outbox, self._observer)
        canary = Canary(LISTENER_ID, way.name, store, pulse, timing=timing)
        self._socket = SocketSupervisor(
            f"{supabase_url}{PATH}",
            key,
            seats=partial(way.seats, LISTENER_ID, enterprise_ids),
            pulse=pulse,
            canary=canary,
            callbacks=ReaderCallbacks(enterprise_ids, self._outbox, self._observer, canary),
            observer=self._observer,
            timing=timing,
            parts=self._parts,
        )

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Changes and gaps as they come, until closed."""
        if self._running is None:
            unreadable_frames.install()
            running = self._parts.keep("realtime", self._run, on_fault=self._note_fault)
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

    def _note_fault(self) -> None:
        """All has ended by what nobody foresaw; it is begun anew."""
        self._observer.lost(self._enterprise_ids, DEFECT, failures=1)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            watch = partial(warn_before_expiry, self._key, self._observer)
            tasks.create_task(self._parts.keep("key watch", watch))
            socket = self._socket
            tasks.create_task(self._parts.keep("realtime socket", socket.run, on_fault=socket.note_fault))
