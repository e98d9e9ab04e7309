"""RowChangeFeed over `postgres_changes`: as many sockets as the enterprises need, one stream of events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from listener.postgres_changes import unreadable_frames
from listener.postgres_changes.access_key import warn_before_expiry
from listener.postgres_changes.canary import Canary
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.outbox import Outbox
from listener.postgres_changes.pulse import Pulse
from listener.postgres_changes.reader_callbacks import ReaderCallbacks
from listener.postgres_changes.socket_supervisor import DEFECT, SocketSupervisor
from listener.postgres_changes.timing import FeedTiming
from shared.ports import FeedEvent, NotificationStore
from shared.supervision import Supervisor

PATH = "/realtime/v1"
SEATS_PER_SOCKET = 50
"""Half of what the server allows, so that seats being left and taken anew fit beside each other."""


class PostgresChangesFeed:
    """The port RowChangeFeed. The sockets live from the first call of `events` until `close`, whoever listens."""

    def __init__(
        self,
        supabase_url: str,
        key: str,
        enterprise_ids: Sequence[str],
        store: NotificationStore,
        *,
        max_retries: int,
        timing: FeedTiming,
        parts: Supervisor | None = None,
    ) -> None:
        """`store` writes the canaries; after `max_retries` failures in a row a seat's state is FAILED. `parts` keeps
        the sockets and their seats.
        """
        self._parts = parts or Supervisor()
        self._observer = FeedObserver(enterprise_ids, max_retries=max_retries)
        self.status = self._observer.status
        self._url = f"{supabase_url}{PATH}"
        self._key = key
        self._enterprise_ids = enterprise_ids
        self._store = store
        self._timing = timing
        self._outbox = Outbox()
        self._sockets = 0
        self._running: asyncio.Task[None] | None = None

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Changes and gaps as they come, until closed."""
        if self._running is None:
            unreadable_frames.install()
            sockets = self._parts.keep("realtime sockets", self._run, on_fault=self._note_fault)
            self._running = asyncio.create_task(sockets, name="postgres_changes")
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
        """All sockets have ended by what nobody foresaw; they are opened anew."""
        self._observer.lost(self._enterprise_ids, DEFECT, failures=1)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as sockets:
            watch = partial(warn_before_expiry, self._key, self._observer)
            sockets.create_task(self._parts.keep("key watch", watch))
            for first in range(0, len(self._enterprise_ids), SEATS_PER_SOCKET):
                self._open_socket(sockets, self._enterprise_ids[first : first + SEATS_PER_SOCKET])

    def _open_socket(self, sockets: asyncio.TaskGroup, enterprise_ids: Sequence[str]) -> None:
        """Seat these on a socket of their own; those for whom it has no room, on another."""
        self._sockets += 1
        pulse = Pulse(enterprise_ids, self._outbox, self._observer)
        canary = Canary(f"listener-{self._sockets}", self._store, pulse, timing=self._timing)
        supervisor = SocketSupervisor(
            self._url,
            self._key,
            pulse=pulse,
            canary=canary,
            callbacks=ReaderCallbacks(self._outbox, self._observer, canary, pulse),
            observer=self._observer,
            timing=self._timing,
            seat_elsewhere=partial(self._open_socket, sockets),
            parts=self._parts,
        )
        sockets.create_task(self._parts.keep("realtime socket", supervisor.run, on_fault=supervisor.note_fault))
