"""Hears rings one way, through one socket, for as long as it runs."""

import asyncio
from collections.abc import Callable
from functools import partial

from listener.doorbell.access_key import warn_before_expiry
from listener.doorbell.canary import Canary
from listener.doorbell.observer import FeedObserver
from listener.doorbell.outbox import Outbox
from listener.doorbell.pulse import Pulse
from listener.doorbell.reader_callbacks import ReaderCallbacks
from listener.doorbell.socket_supervisor import DEFECT, SocketSupervisor
from listener.doorbell.timing import FeedTiming
from listener.doorbell.way import Way
from listener.roster import Roster
from shared.ports import FeedStatus, NotificationStore
from shared.supervision import Supervisor

PATH = "/realtime/v1"
LISTENER_ID = "listener-1"
"""All listeners share it: any later beat, whoever has rung it, proves the same."""


class Ear:
    """What it hears goes into an outbox; `status` is what it has observed of itself."""

    def __init__(
        self,
        supabase_url: str,
        key: Callable[[], str],
        enterprises: Roster,
        store: NotificationStore,
        way: Way,
        outbox: Outbox,
        *,
        max_retries: int,
        timing: FeedTiming,
        parts: Supervisor,
        is_covered: Callable[[], bool] = lambda: False,
    ) -> None:
        """`key` tells the key of now; `store` rings the canary's beats; after `max_retries` failures in a row the state
        is FAILED. While it `is_covered`, somebody else hears the same: what comes late is no reason to look for itself.
        """
        self._observer = FeedObserver(way.name, enterprises, max_retries=max_retries)
        self._key = key
        self._parts = parts
        self.pulse = Pulse(enterprises, outbox, self._observer, is_covered=is_covered)
        canary = Canary(LISTENER_ID, way.name, store, self.pulse, timing=timing)
        self._socket = SocketSupervisor(
            f"{supabase_url}{PATH}",
            key,
            seats=partial(way.seats, LISTENER_ID, enterprises.shards),
            pulse=self.pulse,
            canary=canary,
            callbacks=ReaderCallbacks(enterprises, outbox, self._observer, canary),
            observer=self._observer,
            timing=timing,
            parts=parts,
        )

    @property
    def status(self) -> FeedStatus:
        """The same object all the time."""
        return self._observer.status

    async def run(self) -> None:
        """Hear for ever; all seats are left when it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            watch = partial(warn_before_expiry, self._key, self._observer)
            tasks.create_task(self._parts.keep("key watch", watch))
            socket = self._socket
            tasks.create_task(self._parts.keep("realtime socket", socket.run, on_fault=socket.note_fault))

    def note_fault(self) -> None:
        """`run` has ended by what nobody foresaw; it is begun anew."""
        self._observer.lost(DEFECT, failures=1)
