"""Every await of the listener meets a foreign exception in turn: nothing is lost, the others go on, health says so."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

import pytest

from listener.listener import Listener
from listener.schedule_waker import ScheduleWaker
from shared.ports import (
    DueNotifications,
    FeedGap,
    FeedLate,
    FeedState,
    FeedWay,
    LookoutFindings,
    RowRetracted,
    RowScheduled,
    RuleChanged,
    StoreUnavailable,
)
from shared.supervision import Supervisor
from shared.temporal.messages import MAX_BATCH_SIZE
from shared.temporal.orchestration import OrchestrationRun
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.injector import raising_once_at
from tests.unit.listener import fakes
from tests.unit.listener.fakes import FakeFeed, FakeStore, FakeTemporal, an_insert

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

MODULES = (
    "listener.listener",
    "listener.batcher",
    "listener.bell",
    "listener.dispatcher",
    "listener.intake",
    "listener.lookout",
    "listener.orchestration_keeper",
    "listener.schedule_waker",
    "listener.sweeper",
)
POINTS = await_points(*MODULES)
ENTERPRISES = ("ent1", "ent2")
LATER = datetime(2999, 1, 1, tzinfo=UTC)
PAGE_SIZE = 2
eventually = partial(fakes.eventually, within_seconds=60)


class Temporal(FakeTemporal):
    """Counts the rings that it does not hear."""

    def __init__(self) -> None:
        super().__init__()
        self.rings_unheard = 0

    async def rules_changed(self, enterprise_id: str) -> bool:
        self.rings_unheard += self.is_away
        return await super().rules_changed(enterprise_id)


class Table(FakeStore):
    """Rows are due until a workflow was started for them, and to be cancelled until one was for that."""

    def __init__(self, temporal: FakeTemporal) -> None:
        super().__init__()
        self._temporal = temporal
        self.rows: dict[str, set[int]] = {enterprise_id: set() for enterprise_id in ENTERPRISES}
        self.retracted: set[int] = set()
        self.priorities = {5: 1}
        self.looks_unanswered = 0

    async def list_due(
        self, enterprise_ids: Collection[str], *, page_size: int, after_id: int = 0
    ) -> list[DueNotifications]:
        started = set(self._temporal.rows)
        cancelled = {row for _, ids in self._temporal.retractions for row in ids}
        self.due = {enterprise_id: ids - started for enterprise_id, ids in self.rows.items()}
        self.uncancelled = {"ent1": tuple(self.retracted - cancelled)}
        self.next_scheduled_at = {"ent1": LATER}
        return await super().list_due(enterprise_ids, page_size=PAGE_SIZE, after_id=after_id)

    async def look_out(self, enterprise_ids: Collection[str], way: FeedWay) -> LookoutFindings:
        """The first look has no answer."""
        if not self.looks_unanswered:
            self.looks_unanswered += 1
            raise StoreUnavailable("restarting")
        self.unread_rules = {} if "ent2" in self._temporal.rules_told else {"ent2": 1.0}
        return await super().look_out(enterprise_ids, way)


class Scene:
    """A listener as its process keeps it, and the world around it, which outlives it."""

    def __init__(self) -> None:
        self.temporal = Temporal()
        self.table = Table(self.temporal)
        self.parts = Supervisor(first_backoff_seconds=0.001)
        self.stop = asyncio.Event()
        self.feed = FakeFeed(ENTERPRISES)

    async def run(self) -> None:
        async def listen() -> None:
            self.feed = FakeFeed(ENTERPRISES)
            self.feed.status.states["ent2"] = FeedState.RECONNECTING
            listener = Listener(
                self.feed,
                self.table,
                self.temporal.workflows,
                ENTERPRISES,
                sweep_interval_seconds=0.02,
                unheard_sweep_seconds=0.01,
                look_seconds=0.02,
                window_seconds=0.03,
                parts=self.parts,
            )
            await listener.run(self.stop)

        await self.parts.keep("listener", listen, until=self.stop)

    async def play(self) -> None:
        """Temporal is away at first; rows are found and rows ring, then many; at the end the listener drains."""
        self.temporal.is_away = True
        running = asyncio.create_task(self.run())
        await eventually(lambda: self.temporal.rings_unheard >= 2)
        self.table.rows["ent1"] = set(range(1, 6))
        await eventually(lambda: self.temporal.attempts >= 3)
        self.temporal.is_away = False
        await eventually(lambda: set(self.temporal.rows) >= self.table.rows["ent1"])
        await eventually(lambda: len(self.temporal.orchestrated) == 1)
        self.temporal.orchestration = OrchestrationRun.ABSENT
        await eventually(lambda: len(self.temporal.orchestrated) >= 2)

        self.table.rows["ent2"] = {200}
        self.table.retracted = {3}
        self.feed.send(an_insert(200, "ent2"), RowRetracted("ent1", 3), RowScheduled("ent1", LATER))
        self.feed.send(
            RuleChanged("ent2"), FeedGap(frozenset(ENTERPRISES), "subscribed"), FeedLate(frozenset(["ent1"]))
        )
        await eventually(lambda: 200 in self.temporal.rows and bool(self.temporal.retractions))
        await eventually(lambda: "ent2" in self.temporal.rules_told and ("ent1", LATER) in self.temporal.rows_told)

        flood = set(range(1_000, 1_000 + MAX_BATCH_SIZE))
        self.table.rows["ent2"] |= flood
        self.feed.send(*(an_insert(row, "ent2") for row in sorted(flood)))
        await eventually(lambda: flood <= set(self.temporal.rows))
        self.table.rows["ent1"].add(300)
        self.feed.send(an_insert(300), RuleChanged("ent1"))
        for _ in range(20):  # turns of the loop: the row is held by now, and its window has not ended
            await asyncio.sleep(0)
        self.stop.set()
        async with asyncio.timeout(60):
            await running


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_an_await_of_the_listener_that_fails_costs_nothing(
    point: AwaitPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: min(most, 0.002))  # every backoff
    hasty = partial(ScheduleWaker, rules_window_seconds=0.02, rows_window_seconds=0.02)
    monkeypatch.setattr("listener.listener.ScheduleWaker", hasty)
    scene = Scene()

    with raising_once_at(point) as injection:
        await scene.play()

    assert injection.has_fired or injection.was_left, "the scene does not come here"
    failing = scene.parts.failing()
    told = [(part.faults, part.last_fault) for part in failing]
    assert told == [(1, "Foreign")] * injection.has_fired, "told of, and nobody else met it"
