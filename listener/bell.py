"""A bell that is rung until it is heard; what comes meanwhile is the same ring."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from temporalio.service import RPCError

from shared.backoff import Backoff

NewsT = TypeVar("NewsT")


class Bell(Generic[NewsT]):
    """Holds at most one piece of news, merged from all that came within a short window or while Temporal was away."""

    def __init__(
        self,
        ring: Callable[[NewsT], Awaitable[None]],
        merge: Callable[[NewsT, NewsT], NewsT],
        *,
        window_seconds: float,
    ) -> None:
        """`ring` tells the news; it is called again with the same, and what was added, after an RPCError."""
        self._ring = ring
        self._merge = merge
        self._window_seconds = window_seconds
        self._news: NewsT | None = None
        self._pending = asyncio.Event()

    def want(self, news: NewsT) -> None:
        """Have this told soon; never waits."""
        self._news = news if self._news is None else self._merge(self._news, news)
        self._pending.set()

    async def run(
        self,
        *,
        wait_until_useful: Callable[[], Awaitable[None]],
        on_failure: Callable[[RPCError], None],
        first_backoff_seconds: float,
    ) -> None:
        """Ring for ever, whenever there is news."""
        backoff = Backoff(first_backoff_seconds)
        while True:
            await self._pending.wait()
            await asyncio.sleep(self._window_seconds)
            await wait_until_useful()
            try:
                await self.ring_now()
            except RPCError as error:
                on_failure(error)
                await asyncio.sleep(backoff.next_seconds())
            else:
                backoff = Backoff(first_backoff_seconds)

    async def ring_now(self) -> None:
        """Tell what is held, once. News that was not heard is kept.

        Raises:
            RPCError: Temporal did not answer, or refused.
        """
        news, self._news = self._news, None
        self._pending.clear()
        if news is None:
            return
        heard = False
        try:
            await self._ring(news)
            heard = True
        finally:
            if not heard:
                self.want(news)
