"""Every await of the feed meets a foreign exception in turn: it comes back, and tells of what may have been missed."""

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
from websockets.exceptions import ConnectionClosed

from listener.doorbell.feed import DoorbellFeed
from listener.hearing import feed_for
from shared import json_logs
from shared.ports import FeedGap, FeedState, NotificationStore, RowChange
from shared.supervision import Supervisor
from tests.faults.await_points import await_points, modules_of
from tests.faults.injector import CANARY
from tests.faults.scenes import fail_each_once
from tests.unit.listener.doorbell.phoenix_server import PhoenixServer, SingingStore, phoenix_server
from tests.unit.listener.doorbell.test_feed import IMPATIENT, a_ring, an_entry, lose_by_close
from tests.unit.listener.fakes import eventually

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning"),  # the library's own use of it
]

ENTERPRISES = ("ent1", "ent2")
POINTS = [
    point
    for point in await_points(*modules_of("listener.doorbell"), *modules_of("listener.postgres_changes"))
    if "doorbell/either.py" not in point.file  # test_either_faults.py
]


def key_that_expires_soon() -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 3600}).encode()).decode().rstrip("=")
    return f"header.{claims}.signature"


class Scene:
    """A feed as the listener keeps it, and the server that it hears."""

    def __init__(self, server: PhoenixServer, feed: DoorbellFeed, parts: Supervisor) -> None:
        self.server = server
        self.feed = feed
        self.parts = parts
        self.heard: set[int] = set()
        self.seats_caught_up_with: Counter[str] = Counter()
        """How many seats an enterprise had taken when it was last told to catch up."""

    async def hear(self) -> None:
        async for event in self.feed.events():
            match event:
                case RowChange():
                    self.heard.add(event.notification_id)
                case FeedGap(enterprise_ids):
                    for enterprise_id in enterprise_ids:
                        self.seats_caught_up_with[enterprise_id] = len(self.server.seats)

    async def is_well(self) -> None:
        """Wait until all are heard again, and were told to catch up since their latest seat was taken."""
        await eventually(lambda: all(map(self._is_heard, ENTERPRISES)), within_seconds=60)

    def _is_heard(self, enterprise_id: str) -> bool:
        seats = len(self.server.seats)
        is_caught_up_with = self.seats_caught_up_with[enterprise_id] == seats > 0
        return is_caught_up_with and self.feed.status.states[enterprise_id] is FeedState.SUBSCRIBED

    async def ring_until_heard(self, enterprise_id: str, notification_id: int) -> None:
        """A change may come while nobody hears: then the one of a moment later."""

        async def ring() -> None:
            while notification_id not in self.heard:
                await self.is_well()
                with suppress(ConnectionClosed):
                    await self.server.send_row(self.server.seats[-1], a_ring(an_entry(enterprise_id, notification_id)))
                await asyncio.sleep(0.01)

        await asyncio.wait_for(ring(), 60)


@asynccontextmanager
async def feeding() -> AsyncIterator[Scene]:
    async with phoenix_server() as server:
        parts = Supervisor(first_backoff_seconds=0.001)
        feed = feed_for(
            "postgres_changes",
            server.url,
            key_that_expires_soon,
            ENTERPRISES,
            cast(NotificationStore, SingingStore(server)),
            max_retries=10,
            timing=IMPATIENT,
            parts=parts,
        )
        scene = Scene(server, feed, parts)
        hearing = asyncio.create_task(parts.keep("feed", scene.hear))
        try:
            yield scene
        finally:
            for _ in range(2):  # as the listener does: as it drains, and at its end
                await parts.attempt("feed", feed.close)
            await hearing


async def live(scene: Scene) -> None:
    """Changes come, seats are probed, beats come back."""
    await scene.is_well()
    probes = scene.server.probes
    await eventually(lambda: scene.server.probes >= probes + 4)


async def lose_a_seat(scene: Scene) -> None:
    await scene.is_well()
    await lose_by_close(scene.server)
    await eventually(lambda: len(scene.server.seats) >= 2)


async def lose_the_socket(scene: Scene) -> None:
    await scene.is_well()
    await scene.server.joins[-1].connection.close(1012)
    await eventually(lambda: scene.server.handshakes >= 2)


async def be_refused(scene: Scene) -> None:
    scene.server.refuse_joins = "UnableToConnectToProject: none"
    await eventually(lambda: len(scene.server.seats) >= 2)
    scene.server.refuse_joins = None


SCENES: tuple[Callable[[Scene], Awaitable[None]], ...] = (
    live,
    lose_a_seat,
    be_refused,
    lose_the_socket,
)


def play(what: Callable[[Scene], Awaitable[None]]) -> list[tuple[int, str]]:
    """Faults that were told of, and what."""

    async def run() -> list[tuple[int, str]]:
        async with feeding() as scene:
            await what(scene)
            for notification_id, enterprise_id in enumerate(ENTERPRISES, start=1):
                await scene.ring_until_heard(enterprise_id, notification_id)
        return [(part.faults, part.last_fault) for part in scene.parts.failing()]

    return asyncio.run(run())


def test_an_await_of_the_feed_that_fails_costs_a_gap(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(json_logs.Formatter())
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff

    fail_each_once(POINTS, SCENES, play)

    assert CANARY not in caplog.text
