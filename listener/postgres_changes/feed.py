"""RowChangeFeed over `postgres_changes`: as many sockets as the enterprises need, one stream of events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from listener.postgres_changes import unreadable_frames
from listener.postgres_changes.access_key import warn_before_expiry
from listener.postgres_changes.canary import Canary
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.outbox import Outbox
from listener.postgres_changes.reader_callbacks import ReaderCallbacks
from listener.postgres_changes.socket_supervisor import SocketSupervisor
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
        self._key = key
        self._outbox = Outbox()
        url = f"{supabase_url}{PATH}"
        self._sockets = [
            self._socket(f"listener-{number}", enterprise_ids[first : first + SEATS_PER_SOCKET], store, url, timing)
            for number, first in enumerate(range(0, len(enterprise_ids), SEATS_PER_SOCKET), start=1)
        ]
        self._running: asyncio.Task[None] | None = None

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Changes and gaps as they come, until closed."""
        if self._running is None:
            unreadable_frames.install()
            self._running = asyncio.create_task(self._run(), name="postgres_changes")
            self._running.add_done_callback(lambda _: self._outbox.close())
        while (event := await self._outbox.take()) is not None:
            yield event

    async def close(self) -> None:
        """Leave all seats and end `events`; closing twice is harmless."""
        self._outbox.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    def _socket(
        self, name: str, enterprise_ids: Sequence[str], store: NotificationStore, url: str, timing: FeedTiming
    ) -> SocketSupervisor:
        canary = Canary(
            name, store, self._observer, timing=timing, on_late=partial(self._outbox.put_late, enterprise_ids)
        )
        callbacks = ReaderCallbacks(self._outbox, self._observer, canary)
        return SocketSupervisor(
            url,
            self._key,
            enterprise_ids,
            canary=canary,
            callbacks=callbacks,
            observer=self._observer,
            timing=timing,
            parts=self._parts,
        )

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as sockets:
            watch = partial(warn_before_expiry, self._key, self._observer)
            sockets.create_task(self._parts.keep("key watch", watch))
            for socket in self._sockets:
                sockets.create_task(self._parts.keep("realtime socket", socket.run, on_fault=socket.note_fault))
