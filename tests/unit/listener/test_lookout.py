"""The lookout: whom it tells of unread rules, and since when they count as told in vain."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

from listener.lookout import Lookout
from shared.ports import FeedFlaw, FeedWay, NotificationStore
from tests.unit.listener.fakes import FakeStore, eventually

NEVER = 3600.0
START = datetime(2026, 11, 28, tzinfo=UTC)


class _Bench:
    def __init__(self) -> None:
        self.store = FakeStore()
        self.told: list[str] = []
        self.flawed = 0
        self.now = START
        self.lookout = Lookout(
            cast(NotificationStore, self.store),
            ["ent1", "ent2"],
            way=lambda: FeedWay.BROADCAST,
            interval_seconds=NEVER,
            on_unread_rules=self.told.append,
            on_flaws=self._note_flaws,
            clock=lambda: self.now,
        )

    def _note_flaws(self) -> None:
        self.flawed += 1


async def test_old_marks_count_from_when_their_scheduler_was_first_told() -> None:
    bench = _Bench()
    bench.store.unread_rules["ent1"] = 7200.0
    await bench.lookout.look()

    bench.now += timedelta(seconds=10)
    await bench.lookout.look()

    assert bench.told == ["ent1", "ent1"]
    assert bench.lookout.unread_rules == {"ent1": START}


async def test_marks_that_are_always_new_ones_do_not_grow_old() -> None:
    bench = _Bench()
    for _ in range(5):
        bench.store.unread_rules["ent1"] = 1.0
        await bench.lookout.look()
        bench.now += timedelta(seconds=10)

    assert bench.lookout.unread_rules == {"ent1": bench.now - timedelta(seconds=11)}


async def test_what_is_read_is_forgotten() -> None:
    bench = _Bench()
    bench.store.unread_rules["ent1"] = 1.0
    await bench.lookout.look()
    bench.store.unread_rules.clear()

    await bench.lookout.look()

    assert bench.lookout.unread_rules == {}
    assert bench.told == ["ent1"]


async def test_flaws_are_told_of_when_they_begin_and_when_they_end() -> None:
    bench = _Bench()
    for flaws in ((), (FeedFlaw("a", "b"),), (FeedFlaw("a", "b"), FeedFlaw("c", "d")), (), (FeedFlaw("a", "b"),)):
        bench.store.flaws = flaws
        await bench.lookout.look()

    assert bench.flawed == 3


async def test_a_gap_is_looked_into_at_once_and_a_database_that_is_away_is_survived() -> None:
    bench = _Bench()
    bench.store.failures_to_come = 1
    running = asyncio.create_task(bench.lookout.run())
    bench.store.unread_rules["ent2"] = 1.0

    bench.lookout.look_soon()

    await eventually(lambda: bench.told == ["ent2"])
    running.cancel()
