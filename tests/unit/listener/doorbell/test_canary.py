"""The canary by the default timing, on a clock that runs at once: when it doubts, when it believes, when it ends."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from listener.doorbell.canary import Canary
from listener.doorbell.losses import SocketLost
from listener.doorbell.pulse import Pulse
from listener.doorbell.timing import FeedTiming
from shared.ports import FeedWay, NotificationStore, StoreUnavailable
from tests.unit.virtual_time import run_virtually

TIMING = FeedTiming()


@dataclass
class Aviary:
    """A canary whose beats come back after `lag` seconds, unless they are lost, and what it told, with the seconds."""

    lag: float = 0.3
    lost: Callable[[float], bool] = lambda now: False
    away: Callable[[float], bool] = lambda now: False
    told: list[tuple[float, str]] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    beat: int = 0
    canary: Canary = field(init=False)

    def __post_init__(self) -> None:
        self.canary = Canary(
            "listener-1", FeedWay.POSTGRES_CHANGES, cast(NotificationStore, self), cast(Pulse, self), timing=TIMING
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sing(self, listener_id: str, way: FeedWay) -> int:
        if self.away(self.now):
            raise StoreUnavailable("restarting")
        self.written.append(self.now)
        self.beat += 1
        if not self.lost(self.now):
            asyncio.get_running_loop().call_later(self.lag, self.canary.on_beat, self.beat)
        return self.beat

    def late(self) -> None:
        self.told.append((self.now, "late"))

    def skipped(self, beats: int) -> None:
        self.told.append((self.now, f"skipped {beats}"))

    def doubted(self, reason: str, *, next_beat: int) -> None:
        self.told.append((self.now, "doubted"))

    def came_back(self, beat: int) -> None:
        self.told.append((self.now, f"back {beat}"))

    def when(self, what: str) -> list[float]:
        return [at for at, told in self.told if told.startswith(what)]

    async def sing_for(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.canary.sing()


def scene(play: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that waits for nothing."""

    def test() -> None:
        run_virtually(play())

    test.__name__ = play.__name__
    return test


@scene
async def test_a_beat_every_six_seconds_is_all_that_a_healthy_feed_costs() -> None:
    aviary = Aviary()

    await aviary.sing_for(60)

    assert len(aviary.written) == 10
    assert len(aviary.when("back")) == len(aviary.told) == 10


@scene
async def test_what_stops_flowing_is_doubted_within_twelve_seconds_and_once() -> None:
    aviary = Aviary(lost=lambda now: now > 1)

    with pytest.raises(SocketLost, match="no beat of the canary came back for"):
        await aviary.canary.sing()

    assert len(aviary.when("back")) == 1
    [doubted_at] = aviary.when("doubted")
    assert doubted_at <= TIMING.canary_every + TIMING.canary_timeout + 0.5
    assert aviary.now <= TIMING.canary_every + TIMING.silence_limit + TIMING.canary_again


@scene
async def test_a_lost_beat_is_noticed_by_the_next_which_comes_two_seconds_later() -> None:
    aviary = Aviary(lost=lambda now: 5 < now < 7)

    await aviary.sing_for(12)

    assert aviary.when("skipped") == [pytest.approx(8.6, abs=0.1)]
    assert aviary.when("doubted") == []


@scene
async def test_changes_of_others_neither_prove_nor_put_off_anything() -> None:
    aviary = Aviary(lost=lambda now: True)

    async def others() -> None:
        while True:
            aviary.canary.ring_heard()
            await asyncio.sleep(0.1)

    coming = asyncio.create_task(others())
    await aviary.sing_for(10)
    coming.cancel()

    assert aviary.when("back") == []
    assert aviary.when("doubted") == [pytest.approx(6, abs=0.1)]


@scene
async def test_after_a_flood_of_changes_it_sings_at_once_and_more_often() -> None:
    aviary = Aviary()
    singing = asyncio.create_task(aviary.sing_for(30))
    await asyncio.sleep(2)

    for _ in range(119):
        aviary.canary.ring_heard()
    await asyncio.sleep(1)
    assert len(aviary.written) == 1, "no flood yet"
    aviary.canary.ring_heard()
    await singing

    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(aviary.written)]
    assert pauses == [3, 5, 5, 5, 5, 5]


@scene
async def test_after_an_outage_of_the_database_the_proof_comes_within_seconds() -> None:
    aviary = Aviary(away=lambda now: 5 < now < 31)

    await aviary.sing_for(60)

    assert aviary.when("doubted") == [pytest.approx(12, abs=1.0)]
    back = next(at for at in aviary.when("back") if at > 31)
    assert back - 31 <= TIMING.canary_again + 0.5


@scene
async def test_beats_that_come_late_behind_a_burst_are_late_and_not_lost() -> None:
    aviary = Aviary(lag=5.0)

    await aviary.sing_for(60)

    assert aviary.when("late")
    assert aviary.when("doubted") == aviary.when("skipped") == []


@scene
async def test_a_row_that_somebody_deleted_costs_the_socket_and_is_counted_anew() -> None:
    aviary = Aviary()
    await aviary.sing_for(20)

    aviary.beat = 0

    with pytest.raises(SocketLost, match="counted anew"):
        await aviary.canary.sing()


@scene
async def test_a_seat_is_proven_by_a_beat_written_after_its_confirmation_only() -> None:
    aviary = Aviary()
    await aviary.sing_for(1)
    asked_while_writing: list[int] = []
    write = aviary.sing

    async def slow(listener_id: str, way: FeedWay) -> int:
        asked_while_writing.append(aviary.canary.next_beat)
        return await write(listener_id, way)

    aviary.sing = slow  # type: ignore[method-assign]
    await aviary.sing_for(1)

    assert asked_while_writing == [3], "beat 2 may have been committed before"
    assert aviary.canary.next_beat == 3
