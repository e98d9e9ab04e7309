"""Proof that rings come: a beat that we have rung ourselves has to come back."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from listener.doorbell.losses import SocketLost
from listener.doorbell.pulse import Pulse
from listener.doorbell.timing import FeedTiming
from shared.ports import FeedWay, NotificationStore, StoreUnavailable

log = logging.getLogger("EnhancedSubscriptionManager")


class Canary:
    """One socket's canary. Its beats are numbered, and changes come in order: one that is missing before another is a
    loss. Listeners that share an id share its beats: any later one proves the same.

    It sings more often after a flood of rings, for which the server may fall silent without a word.
    """

    def __init__(
        self, listener_id: str, way: FeedWay, store: NotificationStore, pulse: Pulse, *, timing: FeedTiming
    ) -> None:
        """`pulse` hears of every beat: that it is late, lost, or came back."""
        self._listener_id = listener_id
        self._way = way
        self._store = store
        self._pulse = pulse
        self._timing = timing
        self._written = 0
        self._writing = False
        self._last_heard: int | None = None
        self._heard = asyncio.Event()
        self._wanted = asyncio.Event()
        self._changes_in_window = 0
        self._window_began = float("-inf")
        self._flood_matters_until = float("-inf")

    @property
    def next_beat(self) -> int:
        """The first beat that is certain to be written after now."""
        return self._written + (2 if self._writing else 1)

    def on_beat(self, beat: Any) -> None:
        """Note a beat that came back."""
        if not isinstance(beat, int):
            return
        if self._last_heard is not None and beat > self._last_heard + 1:
            self._pulse.skipped(beat - self._last_heard - 1)
        self._last_heard = beat
        self._heard.set()

    def sing_soon(self) -> None:
        """Somebody waits for a beat."""
        self._wanted.set()

    def ring_heard(self) -> None:
        """A ring came through the same socket. That proves nothing of the next; many of them are a flood."""
        now, timing = asyncio.get_running_loop().time(), self._timing
        if now - self._window_began > timing.canary_every:
            self._window_began, self._changes_in_window = now, 0
        self._changes_in_window += 1
        if self._changes_in_window >= timing.flood_changes_per_second * timing.canary_every:
            self._changes_in_window = 0
            if now >= self._flood_matters_until:
                self._wanted.set()
            self._flood_matters_until = now + timing.after_flood

    async def sing(self) -> None:
        """Beat for ever: at once, then every interval, and sooner while no beat comes back.

        Raises:
            SocketLost: none did for `silence_limit`, or somebody has reset their number.
        """
        self._last_heard = None
        while True:
            await self._beat_until_one_comes_back()
            await self._pause()

    async def _beat_until_one_comes_back(self) -> None:
        """A beat has a deadline of its own, whatever else comes meanwhile."""
        loop, timing = asyncio.get_running_loop(), self._timing
        began = loop.time()
        first: int | None = None
        written_at = 0.0
        doubted = False
        while True:
            self._wanted.clear()
            failure = await self._write()
            if failure is None and first is None:
                first, written_at = self._written, loop.time()
            if await self._comes_back(first):
                return
            silent = loop.time() - began
            if silent >= timing.canary_timeout and not doubted:
                doubted = True
                self._pulse.doubted(_reason(silent, failure if first is None else None), next_beat=self.next_beat)
            if first is not None and loop.time() - written_at >= timing.silence_limit:
                raise SocketLost(_reason(loop.time() - written_at, None))

    async def _write(self) -> StoreUnavailable | None:
        """Why the beat is not written, or None. Raises SocketLost."""
        self._writing = True
        try:
            async with asyncio.timeout(self._timing.canary_timeout):
                beat = await self._store.sing(self._listener_id, self._way)
        except StoreUnavailable as unavailable:
            log.debug("canary_not_written", extra={"reason": str(unavailable)})
            return unavailable
        except TimeoutError:
            return StoreUnavailable("the database does not answer")
        finally:
            self._writing = False
        if beat <= self._written:
            raise SocketLost("the canary's row was deleted: its beats are counted anew")
        self._written = beat
        return None

    async def _comes_back(self, first: int | None) -> bool:
        """Whether that beat or a later one did, before the next should be written."""
        loop, timing = asyncio.get_running_loop(), self._timing
        until = loop.time() + timing.canary_again
        late_at = until if first is None else loop.time() + timing.canary_late
        while first is None or self._last_heard is None or self._last_heard < first:
            now = loop.time()
            if now >= until:
                return False
            if now >= late_at:
                self._pulse.late()
                late_at = now + timing.canary_late
            self._heard.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(until, late_at)):
                    await self._heard.wait()
        self._pulse.came_back(self._last_heard)
        return True

    async def _pause(self) -> None:
        timing = self._timing
        flooded = asyncio.get_running_loop().time() < self._flood_matters_until
        with suppress(TimeoutError):
            async with asyncio.timeout(timing.canary_every_after_flood if flooded else timing.canary_every):
                await self._wanted.wait()


def _reason(seconds: float, failure: StoreUnavailable | None) -> str:
    if failure is not None:
        return f"no beat of the canary could be written for {seconds:.0f} s: {failure}"
    return f"no beat of the canary came back for {seconds:.0f} s"
