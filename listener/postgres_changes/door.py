"""The door of a socket: seats are taken one after the other, and nobody knocks again at once where one was refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from listener.postgres_changes.losses import SeatRefused
from shared.backoff import Backoff


class Door:
    """The server answers a refused join after five seconds, for which the whole socket stands still: the seats that are
    taken hear nothing meanwhile. Two refusals in a row outlast what a beat of the canary has.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._one_at_a_time = asyncio.Lock()
        self._opens_at = float("-inf")

    @asynccontextmanager
    async def passing(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Within the block nobody else passes. After a refusal only the urgent pass before the backoff's time is over;
        that they are refused says nothing of others.

        Raises:
            SeatRefused: as the block did.
        """
        loop = asyncio.get_running_loop()
        while True:
            if not urgent:
                await asyncio.sleep(max(0.0, self._opens_at - loop.time()))
            await self._one_at_a_time.acquire()
            if urgent or loop.time() >= self._opens_at:
                break
            self._one_at_a_time.release()
        try:
            yield
            self._backoff.proven()
        except SeatRefused as refusal:
            if not urgent:
                wait = 0.0 if refusal.is_full else refusal.wait_at_least_seconds
                self._opens_at = loop.time() + self._backoff.next_seconds(at_least=wait)
            raise
        finally:
            self._one_at_a_time.release()
