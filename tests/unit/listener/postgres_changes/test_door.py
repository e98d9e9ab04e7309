"""The door of a socket, on a clock that runs at once."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from listener.postgres_changes.door import Door
from listener.postgres_changes.losses import SeatRefused
from shared.backoff import Backoff
from tests.unit.listener.postgres_changes.clockless_loop import run_without_waiting

BLOCKED_SECONDS = 5.0


def scene(play: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that waits for nothing."""

    def test() -> None:
        run_without_waiting(play())

    test.__name__ = play.__name__
    return test


async def knock(door: Door, refusal: str | None = None, *, urgent: bool = False) -> float:
    """When it was this one's turn."""
    turn = 0.0
    with suppress(SeatRefused):
        async with door.passing(urgent=urgent):
            turn = asyncio.get_running_loop().time()
            await asyncio.sleep(BLOCKED_SECONDS if refusal else 0.01)
            if refusal:
                raise SeatRefused(refusal)
    return turn


@scene
async def test_one_passes_after_the_other_and_a_refusal_has_the_others_wait() -> None:
    door = Door(Backoff(4.0))
    refused = asyncio.create_task(knock(door, "UnableToConnectToProject"))
    turns = await asyncio.gather(*(knock(door) for _ in range(3)))

    assert await refused == 0.0
    assert min(turns) >= BLOCKED_SECONDS
    assert len(set(turns)) == 3


@scene
async def test_a_rate_limit_closes_it_for_as_long_as_the_server_is_due_except_for_the_urgent() -> None:
    door = Door(Backoff(1.0))
    await knock(door, "ClientJoinRateLimitReached: Too many joins per second")

    urgent, patient = await asyncio.gather(knock(door, urgent=True), knock(door))

    assert urgent == BLOCKED_SECONDS
    assert patient >= BLOCKED_SECONDS + 30.0


@scene
async def test_a_full_socket_is_no_rate_and_one_who_passes_reopens_it() -> None:
    backoff = Backoff(1.0)
    door = Door(backoff)
    await knock(door, "ChannelRateLimitReached: Too many channels")

    assert await knock(door) <= BLOCKED_SECONDS + 1.0
    assert backoff.failures == 0
