"""Two ways to hear, on a clock that runs at once: which is relied upon, and when the second is opened and closed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from listener.doorbell.ear import Ear
from listener.doorbell.either import ASK_AGAIN_SECONDS, Either
from listener.doorbell.pulse import Pulse
from listener.doorbell.timing import FeedTiming
from shared.ports import FeedStatus, FeedWay
from shared.supervision import Supervisor
from tests.unit.virtual_time import run_virtually

TIMING = FeedTiming()


class FakePulse:
    is_proven = False


class FakeEar:
    """Proven or not, as a test says."""

    def __init__(self, way: FeedWay) -> None:
        self.status = FeedStatus(way=way)
        self.pulse = cast(Pulse, FakePulse())
        self.runs = False

    async def run(self) -> None:
        self.runs = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.runs = False

    def note_fault(self) -> None:
        """There is none here."""


def is_running(ear: FakeEar) -> bool:
    return ear.runs


class Scene:
    def __init__(self, has_first: bool = True) -> None:
        self.first = FakeEar(FeedWay.BROADCAST)
        self.seconds: list[FakeEar] = []
        self.has_first = has_first
        self.is_covered: Callable[[], bool] = lambda: False
        self.either = Either(self._make_first, self._make_second, self._ask, Supervisor(), timing=TIMING)

    @property
    def second(self) -> FakeEar:
        return self.seconds[-1]

    def way(self) -> str:
        return self.either.status.way.value

    async def for_seconds(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _make_first(self, is_covered: Callable[[], bool]) -> Ear:
        self.is_covered = is_covered
        return cast(Ear, self.first)

    def _make_second(self) -> Ear:
        self.seconds.append(FakeEar(FeedWay.POSTGRES_CHANGES))
        return cast(Ear, self.second)

    async def _ask(self) -> bool:
        return self.has_first


def scene(play: Callable[[Scene], Coroutine[Any, Any, None]], *, has_first: bool = True) -> Callable[[], None]:
    """A test that waits for nothing."""

    async def run() -> None:
        it = Scene(has_first)
        running = asyncio.create_task(it.either.run())
        try:
            await play(it)
        finally:
            running.cancel()
            await asyncio.wait({running})
        assert not is_running(it.first)
        assert not is_running(it.second)

    def test() -> None:
        run_virtually(run())

    test.__name__ = play.__name__
    return test


@scene
async def test_the_first_way_is_all_that_runs_while_it_works(it: Scene) -> None:
    it.first.pulse.is_proven = True

    await it.for_seconds(300)

    assert is_running(it.first)
    assert not is_running(it.second)
    assert it.way() == "broadcast"


@scene
async def test_the_second_is_opened_beside_a_first_that_is_not_proven_and_relied_upon_once_it_is(it: Scene) -> None:
    await it.for_seconds(TIMING.fall_back_after - 1)
    assert not is_running(it.second)
    await it.for_seconds(2)
    assert is_running(it.first)
    assert is_running(it.second)
    assert it.way() == "broadcast", "nobody is heard: it says what is wrong with the first"
    assert not it.is_covered()

    it.second.pulse.is_proven = True

    assert it.is_covered()
    assert it.way() == "postgres_changes"


@scene
async def test_the_second_is_closed_when_the_first_has_been_proven_for_long_and_its_counts_are_kept(it: Scene) -> None:
    await it.for_seconds(TIMING.fall_back_after + 1)
    second = it.second
    second.pulse.is_proven = True
    second.status.changes_received = 7

    it.first.pulse.is_proven = True
    await it.for_seconds(TIMING.steady_after - 1)
    assert is_running(second), "the first may be lost again in a moment"
    assert it.way() == "broadcast"
    await it.for_seconds(3)

    assert not is_running(second)
    assert it.either.status.changes_received == 7
    assert not it.is_covered()


@scene
async def test_a_second_that_was_closed_can_be_opened_again(it: Scene) -> None:
    for _ in range(2):
        it.first.pulse.is_proven = False
        await it.for_seconds(TIMING.fall_back_after + 1)
        assert is_running(it.second)
        it.first.pulse.is_proven = True
        await it.for_seconds(TIMING.steady_after + 2)
        assert not is_running(it.second)


async def _without_the_first(it: Scene) -> None:
    await it.for_seconds(1)
    assert is_running(it.second)
    assert not is_running(it.first)
    assert it.way() == "postgres_changes"

    it.has_first = True
    await it.for_seconds(ASK_AGAIN_SECONDS)

    assert is_running(it.first)
    assert is_running(it.second), "until the first is proven"


test_a_project_without_the_first_way_is_asked_again = scene(_without_the_first, has_first=False)
