"""Proof that changes flow: a row that we write ourselves has to come back as a change."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from listener.postgres_changes.losses import SocketLost
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.seat import Interest, Subscription
from listener.postgres_changes.timing import FeedTiming
from shared.ports import NotificationStore, StoreUnavailable

log = logging.getLogger("EnhancedSubscriptionManager")


class Canary:
    """One socket's canary. Listeners that share an id share its row: any later beat proves the same.

    It sings more often after a flood of changes, for which the server may fall silent without a word.
    """

    def __init__(
        self,
        listener_id: str,
        store: NotificationStore,
        observer: FeedObserver,
        *,
        timing: FeedTiming,
        on_late: Callable[[], None],
    ) -> None:
        """`on_late` is called as long as a beat should have come back and has not."""
        self.subscription = Subscription(
            name=f"canary-{listener_id}",
            interests=[
                Interest("listener_canary", filter=f"listener_id=eq.{listener_id}", columns=("listener_id", "beat"))
            ],
        )
        self._listener_id = listener_id
        self._store = store
        self._observer = observer
        self._timing = timing
        self._on_late = on_late
        self._last_beat_heard = 0
        self._heard = asyncio.Event()
        self._changes_in_window = 0
        self._window_began = float("-inf")
        self._flood = asyncio.Event()
        self._flood_matters_until = float("-inf")

    def on_change(self, data: Mapping[str, Any]) -> None:
        """Note a beat that came back."""
        beat = (data.get("record") or {}).get("beat")
        if isinstance(beat, int):
            self._last_beat_heard = beat
            self._observer.proof_of_life()
        self._heard.set()

    def change_seen(self) -> None:
        """Another change came through the same socket: the feed may be slow, but it flows."""
        self._heard.set()
        now, timing = asyncio.get_running_loop().time(), self._timing
        if now - self._window_began > timing.canary_every:
            self._window_began, self._changes_in_window = now, 0
        self._changes_in_window += 1
        if self._changes_in_window >= timing.flood_changes_per_second * timing.canary_every:
            self._changes_in_window = 0
            self._flood_matters_until = now + timing.after_flood
            self._flood.set()

    async def sing(self) -> None:
        """Beat for ever, at once and then every interval.

        Raises:
            SocketLost: for the canary's time-out neither the beat nor any other change came.
        """
        while True:
            try:
                beat = await self._store.beat_canary(self._listener_id)
            except StoreUnavailable as error:
                log.debug("canary_not_written", extra={"reason": str(error)})  # says nothing about the feed
            else:
                await self._wait_for(beat)
            await self._pause()

    async def _wait_for(self, beat: int) -> None:
        loop = asyncio.get_running_loop()
        lost_at = loop.time() + self._timing.canary_timeout
        late_at = loop.time() + self._timing.canary_late
        while self._last_beat_heard < beat:
            self._heard.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(late_at, lost_at)):
                    await self._heard.wait()
            now = loop.time()
            if self._heard.is_set():
                lost_at = now + self._timing.canary_timeout
            elif now >= lost_at:
                raise SocketLost(f"the canary did not come back within {self._timing.canary_timeout} s")
            if now >= late_at:
                self._on_late()
                late_at = now + self._timing.canary_late

    async def _pause(self) -> None:
        timing = self._timing
        if asyncio.get_running_loop().time() < self._flood_matters_until:
            await asyncio.sleep(min(timing.canary_every, timing.canary_every_after_flood))
            return
        self._flood.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timing.canary_every):
                await self._flood.wait()
