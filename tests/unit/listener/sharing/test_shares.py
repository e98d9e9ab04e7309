"""Listeners come, go and die, on a clock that runs at once: every shard is heard, and shared in the end."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from listener.counters import ListenerCounters
from listener.listener import Listener
from listener.sharing.shares import ALIVE_SECONDS, ALONE_SECONDS, SHARE_SECONDS, Shares
from listener.sharing.term import SETTLED_WITHIN_SECONDS
from shared.ports import FeedState, FeedStatus
from shared.shards import SHARDS, shard_of, shards_of
from shared.supervision import Supervisor
from tests.unit.listener.sharing.fake_share_store import FakeShareStore
from tests.unit.virtual_time import run_virtually

ENTERPRISES = [f"enterprise-{number}" for number in range(100)]
ALL = frozenset(range(SHARDS))
BEGINS_SECONDS = 1.0
TICK_SECONDS = 0.1


class FakeListener:
    """Hears after a while, unless nothing flows."""

    def __init__(self, enterprise_ids: Collection[str], flows: Callable[[], bool], begins_seconds: float) -> None:
        self.begins_seconds = begins_seconds
        self.enterprise_ids = enterprise_ids
        self.flows = flows
        self.began_at = float("inf")
        self.runs = False
        self.feed_status = FeedStatus(reconnects=1)

    def states(self) -> dict[str, FeedState]:
        hears = self.flows() and asyncio.get_running_loop().time() >= self.began_at + self.begins_seconds
        return dict.fromkeys(self.enterprise_ids, FeedState.SUBSCRIBED if hears else FeedState.RECONNECTING)

    @property
    def is_heard(self) -> bool:
        return set(self.states().values()) == {FeedState.SUBSCRIBED}

    async def run(self, stop: asyncio.Event) -> None:
        self.began_at, self.runs = asyncio.get_running_loop().time(), True
        try:
            await stop.wait()
        finally:
            self.runs = False


class Process:
    """One of the deployment's listeners, as its process keeps it."""

    def __init__(self, scene: "Scene", name: str) -> None:
        self.made: list[FakeListener] = []
        self.stop = asyncio.Event()
        self.shares: Shares
        self._name = name
        self._lives = 0
        self._scene = scene
        self.running = asyncio.create_task(scene.parts.keep("listener", self._live, until=self.stop))

    async def _live(self) -> None:
        self._lives += 1
        self.shares = Shares(
            self._scene.store,
            f"{self._name}-{self._lives}",
            self._scene.enterprise_ids,
            self._make,
            counters=ListenerCounters(),
            parts=self._scene.parts,
        )
        await self.shares.run(self.stop)

    def hears(self) -> frozenset[int]:
        heard = [
            each
            for listener in self.made
            if listener.runs
            for each, state in listener.states().items()
            if state is FeedState.SUBSCRIBED
        ]
        return frozenset(map(shard_of, heard))

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.running, 60)

    async def die(self) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})

    def _make(self, enterprise_ids: Collection[str]) -> Listener:
        self.made.append(FakeListener(enterprise_ids, lambda: self._scene.flows, self._scene.begins_seconds))
        return cast(Listener, self.made[-1])


class Scene:
    def __init__(self, enterprise_ids: Sequence[str] = ENTERPRISES) -> None:
        self.enterprise_ids = enterprise_ids
        self.shards = frozenset(shards_of(enterprise_ids))
        self.store = FakeShareStore(ALIVE_SECONDS)
        self.parts = Supervisor()
        self.flows = True
        self.begins_seconds = BEGINS_SECONDS
        self.owed_seconds = 0.0
        """For which shards may yet be unheard for what has happened."""
        self.processes: list[Process] = []

    async def come(self, name: str) -> Process:
        self.processes.append(Process(self, name))
        await asyncio.sleep(0.01)
        return self.processes[-1]

    def unheard(self) -> frozenset[int]:
        return self.shards.difference(*(process.hears() for process in self.processes))

    async def pass_by(self, seconds: float, *, gap_seconds: float = 0.0) -> None:
        """Shards are unheard for so long at most, on the whole."""
        loop = asyncio.get_running_loop()
        until, unheard = loop.time() + seconds, 0.0
        while loop.time() < until:
            unheard += TICK_SECONDS * bool(self.unheard())
            await asyncio.sleep(TICK_SECONDS)
        assert unheard <= gap_seconds

    async def shared_out(self) -> None:
        await self.pass_by(ALONE_SECONDS + 3 * SHARE_SECONDS + 4 * BEGINS_SECONDS)
        self.are_shared_out()

    def are_shared_out(self) -> None:
        """Each once, evenly."""
        living = [process for process in self.processes if not process.running.done()]
        heard = [shard for process in living for shard in process.hears()]
        assert sorted(heard) == sorted(self.shards)
        assert max(len(process.hears()) for process in living) == -(-len(self.shards) // len(living))


def scene(play: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def run() -> None:
        it = Scene()
        try:
            await play(it)
        finally:
            for process in it.processes:
                await process.die()

    def test() -> None:
        run_virtually(run())

    test.__name__ = play.__name__
    return test


@scene
async def test_one_alone_hears_everything_all_the_time_through_one_listener(it: Scene) -> None:
    process = await it.come("a")
    await it.pass_by(100, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)

    assert process.hears() == ALL
    assert len(process.made) == 1


@scene
async def test_who_comes_takes_a_share_and_nobody_is_unheard_meanwhile(it: Scene) -> None:
    first = await it.come("a")
    await it.pass_by(10, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)
    for name in ("b", "c"):
        await it.come(name)
        await it.shared_out()

    assert first.shares.shards == first.hears()
    assert set(first.shares.states().values()) == {FeedState.SUBSCRIBED}
    assert first.shares.feed_status.reconnects == len(first.made), "counts outlive a change of shards"


@scene
async def test_three_that_begin_together_share(it: Scene) -> None:
    for name in ("a", "b", "c"):
        await it.come(name)
    await it.pass_by(BEGINS_SECONDS + 0.1, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)
    await it.shared_out()


@scene
async def test_one_that_dies_is_replaced_within_thirty_seconds(it: Scene) -> None:
    await _begin_three(it)
    victim = it.processes[1]
    assert victim.hears()

    await victim.die()
    await it.pass_by(30, gap_seconds=29)

    it.are_shared_out()


@scene
async def test_one_that_ends_is_replaced_at_the_next_round(it: Scene) -> None:
    await _begin_three(it)

    await it.processes[1].end()
    await it.pass_by(30, gap_seconds=SHARE_SECONDS + BEGINS_SECONDS + 0.5)

    it.are_shared_out()


@scene
async def test_one_that_is_started_again_hears_everything_at_once_for_nobody_relies_on_the_dead(it: Scene) -> None:
    former = await it.come("a")
    await it.pass_by(10, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)
    await former.die()

    await it.come("a-again")
    await it.pass_by(60, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)

    it.are_shared_out()


@scene
async def test_more_listeners_than_shards_leave_some_without_any(it: Scene) -> None:
    for number in range(SHARDS + 4):
        await it.come(str(number))
    await it.pass_by(60, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)

    it.are_shared_out()
    idle = [process for process in it.processes if not process.shares.shards]
    assert len(idle) == 4
    assert idle[0].shares.states() == {}
    assert idle[0].shares.temporal_available


@scene
async def test_while_the_database_is_away_everybody_goes_on_as_before(it: Scene) -> None:
    await _begin_three(it)

    it.store.is_away = True
    await it.pass_by(100)
    it.store.is_away = False
    await it.pass_by(60)

    it.are_shared_out()


@scene
async def test_while_nothing_flows_shards_change_hands_all_the_same_for_they_are_swept(it: Scene) -> None:
    await it.come("a")
    await it.pass_by(10, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)
    it.flows = False
    second = await it.come("b")

    await it.pass_by(2 * SETTLED_WITHIN_SECONDS + ALONE_SECONDS + 4 * SHARE_SECONDS, gap_seconds=1000)

    assert len(it.processes[0].shares.shards) == len(second.shares.shards) == SHARDS // 2


@scene
async def test_what_nobody_hears_is_told_of(it: Scene) -> None:
    await _begin_three(it)
    asked, victim = it.processes[0], it.processes[1]
    theirs = victim.hears()
    await victim.die()
    told: set[int] = set()

    for _ in range(300):
        await asyncio.sleep(0.1)
        told |= {shard_of(each) for each, state in asked.shares.states().items() if state is FeedState.RECONNECTING}

    assert told >= theirs - asked.hears()


@given(
    st.sampled_from([0.5, 3.0, 9.0]),
    st.lists(st.tuples(st.sampled_from(["comes", "ends", "dies"]), st.floats(0.1, 25.0)), min_size=3, max_size=8),
)
@settings(max_examples=12, deadline=None)
def test_whoever_comes_and_goes_no_shard_is_unheard_but_after_one_went(
    begins_seconds: float, events: list[tuple[str, float]]
) -> None:
    """One is always left. An end is noticed within a round, a death within thirty seconds."""
    patience = {"comes": 0.0, "ends": SHARE_SECONDS, "dies": ALIVE_SECONDS + SHARE_SECONDS}

    async def run() -> None:
        it = Scene()
        it.begins_seconds = begins_seconds
        try:
            await it.come("0")
            await asyncio.sleep(20)
            for number, (event, seconds) in enumerate(events, start=1):
                living = [process for process in it.processes if not process.running.done()]
                if event == "comes" or len(living) == 1:
                    event = "comes"
                    await it.come(str(number))
                else:
                    await (living[0].end() if event == "ends" else living[0].die())
                gap = patience[event] + (begins_seconds + 1.0 if patience[event] else 0.0)
                await it.pass_by(seconds, gap_seconds=gap + it.owed_seconds)
                it.owed_seconds = max(0.0, it.owed_seconds + gap - seconds)
            await it.pass_by(90, gap_seconds=it.owed_seconds)
            it.are_shared_out()
        finally:
            for process in it.processes:
                await process.die()

    run_virtually(run())


async def _begin_three(it: Scene) -> None:
    for name in ("a", "b", "c"):
        await it.come(name)
    await it.pass_by(BEGINS_SECONDS + 0.1, gap_seconds=BEGINS_SECONDS + 2 * TICK_SECONDS)
    await it.shared_out()
