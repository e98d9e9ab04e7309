"""News is kept until it is heard."""

import asyncio

import pytest
from temporalio.service import RPCError, RPCStatusCode

from listener.bell import Bell


async def test_news_that_was_not_heard_is_told_again_with_what_came_meanwhile() -> None:
    heard: list[int] = []
    deaf = True

    async def ring(news: int) -> None:
        if deaf:
            bell.want(3)
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        heard.append(news)

    bell = Bell[int](ring, min, window_seconds=0.0)
    bell.want(5)

    with pytest.raises(RPCError):
        await bell.ring_now()
    deaf = False
    await bell.ring_now()

    assert heard == [3]


async def test_news_whose_ring_was_cancelled_is_kept() -> None:
    heard: list[int] = []
    picked_up = asyncio.Event()

    async def ring(news: int) -> None:
        await picked_up.wait()
        heard.append(news)

    bell = Bell[int](ring, min, window_seconds=0.0)
    bell.want(5)
    ringing = asyncio.create_task(bell.ring_now())
    await asyncio.sleep(0)
    ringing.cancel()
    await asyncio.wait({ringing})
    picked_up.set()

    await bell.ring_now()
    await bell.ring_now()

    assert heard == [5], "told once, and then there is no news"
