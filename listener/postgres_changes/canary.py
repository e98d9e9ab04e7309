"""Proof that changes flow: a row that we write ourselves has to come back as a change."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from listener.postgres_changes.losses import SocketLost
from listener.postgres_changes.observer import FeedObserver
from listener.postgres_changes.seat import Interest, Subscription
from shared.ports import NotificationStore, StoreUnavailable

log = logging.getLogger("EnhancedSubscriptionManager")


class Canary:
    """One socket's canary. Listeners that share an id share its row: any later beat proves the same."""

    def __init__(self, listener_id: str, store: NotificationStore, observer: FeedObserver) -> None:
        self.subscription = Subscription(
            name=f"canary-{listener_id}",
            interests=[
                Interest("listener_canary", filter=f"listener_id=eq.{listener_id}", columns=("listener_id", "beat"))
            ],
        )
        self._listener_id = listener_id
        self._store = store
        self._observer = observer
        self._last_beat_heard = 0
        self._heard = asyncio.Event()

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

    async def sing(self, *, every_seconds: float, timeout_seconds: float) -> None:
        """Beat for ever, at once and then every interval.

        Raises:
            SocketLost: for `timeout_seconds` neither the beat nor any other change came.
        """
        while True:
            try:
                beat = await self._store.beat_canary(self._listener_id)
            except StoreUnavailable as error:
                log.debug("canary_not_written", extra={"reason": str(error)})  # says nothing about the feed
            else:
                await self._wait_for(beat, timeout_seconds)
            await asyncio.sleep(every_seconds)

    async def _wait_for(self, beat: int, timeout_seconds: float) -> None:
        while self._last_beat_heard < beat:
            self._heard.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self._heard.wait()
            except TimeoutError:
                raise SocketLost(f"the canary did not come back within {timeout_seconds} s") from None
