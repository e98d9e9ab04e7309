"""The parts together: from an event to a workflow start, whatever is missed on the way."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from listener.heartbeat import observe
from listener.listener import Listener
from shared.ports import FeedFlaw, FeedGap, FeedLate, FeedState, RowRetracted, RowScheduled, RuleChanged
from shared.supervision import Supervisor
from shared.temporal.orchestration import OrchestrationRun
from tests.unit.listener.fakes import FakeFeed, FakeStore, FakeTemporal, an_insert, eventually

NEVER = 3600.0
LATER = datetime(2999, 1, 1, tzinfo=UTC)


@dataclass
class Bench:
    feed: FakeFeed
    store: FakeStore
    temporal: FakeTemporal
    listener: Listener
    stop: asyncio.Event
    running: asyncio.Task[None]


@asynccontextmanager
async def listening(
    due: Mapping[str, Collection[int]] | None = None,
    *,
    sweep_interval_seconds: float = NEVER,
    unheard_sweep_seconds: float = NEVER,
    look_seconds: float = NEVER,
) -> AsyncIterator[Bench]:
    enterprise_ids = ["ent1", "ent2"]
    feed, store, temporal, stop = FakeFeed(enterprise_ids), FakeStore(due), FakeTemporal(), asyncio.Event()
    listener = Listener(
        feed,
        store,
        temporal.workflows,
        enterprise_ids,
        sweep_interval_seconds=sweep_interval_seconds,
        unheard_sweep_seconds=unheard_sweep_seconds,
        look_seconds=look_seconds,
        window_seconds=0.001,
        parts=Supervisor(first_backoff_seconds=0.001),
    )
    running = asyncio.create_task(listener.run(stop))
    try:
        yield Bench(feed, store, temporal, listener, stop, running)
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_change_starts_a_workflow() -> None:
    async with listening() as bench:
        bench.feed.send(an_insert(42))

        await eventually(lambda: bench.temporal.started == [("ent1", (42,))])


async def test_a_retraction_starts_a_workflow_of_its_own_even_for_a_row_just_processed() -> None:
    async with listening() as bench:
        bench.feed.send(an_insert(42))
        await eventually(lambda: bench.temporal.started == [("ent1", (42,))])

        bench.feed.send(RowRetracted("ent1", 42), RowRetracted("ent1", 42))

        await eventually(lambda: bench.listener.counters.changes_already_handed_over == 1)
        await eventually(lambda: bench.temporal.retractions == [("ent1", (42,))])
        assert bench.listener.counters.retractions == 2


async def test_a_scheduled_row_and_a_changed_rule_wake_their_schedulers() -> None:
    async with listening() as bench:
        bench.feed.send(RowScheduled("ent1", LATER), RuleChanged("ent2"))

        await eventually(lambda: bench.temporal.rows_told == [("ent1", LATER)])
        await eventually(lambda: bench.temporal.rules_told == ["ent2"])


async def test_after_a_gap_unread_rules_and_what_a_sweep_finds_are_told() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1 and bench.store.looks == 1)
        bench.store.unread_rules["ent1"] = 1.0
        bench.store.next_scheduled_at["ent1"] = LATER
        bench.store.uncancelled["ent1"] = (7, 8)

        bench.feed.send(FeedGap(frozenset({"ent1"}), "subscribed"))

        await eventually(lambda: bench.temporal.rules_told == ["ent1"])
        await eventually(lambda: bench.temporal.rows_told == [("ent1", LATER)])
        await eventually(lambda: bench.temporal.retractions == [("ent1", (7, 8))])


async def test_the_orchestration_is_joined_at_the_start_and_again_if_it_is_gone_after_an_outage() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.temporal.orchestrated == [("ent1", "ent2")])
        bench.temporal.is_away = True
        bench.feed.send(an_insert(1))
        await eventually(lambda: not bench.listener.temporal_available)
        bench.temporal.orchestration = OrchestrationRun.ABSENT

        bench.temporal.is_away = False

        await eventually(lambda: len(bench.temporal.orchestrated) == 2)


async def test_rings_and_retractions_outlast_an_outage_of_temporal() -> None:
    async with listening() as bench:
        bench.temporal.is_away = True
        bench.feed.send(an_insert(1))
        await eventually(lambda: not bench.listener.temporal_available)
        bench.feed.send(RowScheduled("ent1", LATER), RuleChanged("ent2"), RowRetracted("ent2", 9))
        await eventually(lambda: bench.listener.counters.retractions == 1)
        bench.store.uncancelled["ent2"] = (9,)

        bench.temporal.is_away = False

        await eventually(lambda: bench.temporal.rows_told == [("ent1", LATER)])
        await eventually(lambda: bench.temporal.rules_told == ["ent2"])
        await eventually(lambda: bench.temporal.retractions == [("ent2", (9,))])


async def test_stopping_tells_what_was_not_told_yet() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.feed.send(RowScheduled("ent1", LATER), RuleChanged("ent2"))

        bench.stop.set()
        await bench.running

    assert bench.temporal.rows_told == [("ent1", LATER)]
    assert bench.temporal.rules_told == ["ent2"]


async def test_rows_written_while_nobody_listened_are_found_at_the_start() -> None:
    async with listening({"ent1": [1, 2], "ent2": [3]}) as bench:
        await eventually(lambda: sorted(bench.temporal.rows) == [1, 2, 3])


async def test_a_gap_is_caught_up_with() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.store.due["ent2"] = {9}

        bench.feed.send(FeedGap(frozenset({"ent2"}), "subscribed"))

        await eventually(lambda: bench.temporal.started == [("ent2", (9,))])
        assert bench.listener.states() == {"ent1": FeedState.SUBSCRIBED, "ent2": FeedState.SUBSCRIBED}


async def test_late_changes_are_not_waited_for() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.store.due = {"ent2": {9}}

        bench.feed.send(FeedLate(frozenset({"ent2"})))

        await eventually(lambda: bench.temporal.started == [("ent2", (9,))])
        assert bench.listener.counters.gaps == 0
        assert bench.temporal.rules_told == []


async def test_an_enterprise_catches_up_until_its_gap_is_swept() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.store.failures_to_come = 1_000_000

        bench.feed.send(FeedGap(frozenset({"ent2"}), "subscribed"))

        await eventually(lambda: bench.listener.states()["ent2"] is FeedState.CATCHING_UP)
        assert bench.listener.states()["ent1"] is FeedState.SUBSCRIBED


async def test_an_enterprise_without_a_seat_is_swept_more_often() -> None:
    async with listening(unheard_sweep_seconds=0.01) as bench:
        bench.feed.status.states["ent2"] = FeedState.FAILED
        await eventually(lambda: bench.listener.counters.sweeps >= 3)
        bench.store.due = {"ent1": {1}, "ent2": {2}}

        await eventually(lambda: bench.temporal.started == [("ent2", (2,))])

        assert bench.store.calls[-1] == (frozenset({"ent2"}), 0)


async def test_rules_that_no_change_told_of_are_told_at_every_look_until_they_are_read() -> None:
    async with listening(look_seconds=0.01) as bench:
        bench.store.unread_rules["ent2"] = 1.0

        await eventually(lambda: bench.temporal.rules_told == ["ent2", "ent2"])

        assert set(bench.listener.unread_rules) == {"ent2"}
        bench.store.unread_rules.clear()
        await eventually(lambda: not bench.listener.unread_rules)
        assert bench.listener.counters.recovered_rules >= 2


async def test_while_changes_are_kept_from_it_nobody_counts_as_heard_and_all_are_swept_more_often() -> None:
    async with listening(look_seconds=0.01, unheard_sweep_seconds=0.01) as bench:
        await eventually(lambda: set(bench.listener.states().values()) == {FeedState.SUBSCRIBED})
        bench.store.flaws = (FeedFlaw("notify.ent_notification is not in publication", "alter publication"),)

        await eventually(lambda: set(bench.listener.states().values()) == {FeedState.RECONNECTING})
        bench.store.due = {"ent2": {9}}
        await eventually(lambda: bench.temporal.started == [("ent2", (9,))])
        assert "alter publication" in observe(bench.listener).flaws[0]


async def test_what_was_kept_from_it_since_the_last_sweep_is_swept_once_nothing_is() -> None:
    async with listening(look_seconds=0.01) as bench:
        bench.store.flaws = (FeedFlaw("notify.ent_notification is not in publication", "alter publication"),)
        await eventually(lambda: set(bench.listener.states().values()) == {FeedState.RECONNECTING})
        await asyncio.sleep(1.0)
        swept = len(bench.store.calls)
        await asyncio.sleep(1.0)
        assert len(bench.store.calls) == swept

        bench.store.due = {"ent2": {9}}
        bench.store.flaws = ()

        await eventually(lambda: bench.temporal.started == [("ent2", (9,))])
        await eventually(lambda: bench.listener.is_heard)


async def test_an_outage_of_temporal_loses_nothing() -> None:
    async with listening() as bench:
        bench.temporal.is_away = True
        bench.feed.send(an_insert(1))
        await eventually(lambda: not bench.listener.temporal_available)
        for notification_id in range(2, 500):
            bench.feed.send(an_insert(notification_id))
        await eventually(lambda: bench.listener.counters.changes == 499)
        bench.store.due["ent1"] = set(range(1, 500))

        bench.temporal.is_away = False

        await eventually(lambda: set(bench.temporal.rows) == set(range(1, 500)))


async def test_a_flood_that_exceeds_the_room_is_swept_instead() -> None:
    async with listening() as bench:
        bench.temporal.gate.clear()
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        flood = range(1, 5001)
        bench.store.due["ent1"] = set(flood)
        bench.feed.send(*(an_insert(notification_id) for notification_id in flood))
        await eventually(lambda: bench.listener.counters.queue_full > 0)

        bench.temporal.gate.set()

        await eventually(lambda: set(bench.temporal.rows) == set(flood))
        assert len(bench.temporal.rows) == 5000, "each row in one workflow only"


async def test_stopping_hands_over_what_is_held() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.temporal.gate.clear()
        bench.feed.send(*(an_insert(notification_id) for notification_id in range(1, 301)))
        await eventually(lambda: bench.listener.counters.changes == 300)

        bench.stop.set()
        bench.temporal.gate.set()
        await bench.running

    assert sorted(bench.temporal.rows) == list(range(1, 301))


async def test_stopping_while_temporal_is_away_does_not_hang() -> None:
    async with listening() as bench:
        bench.temporal.is_away = True
        bench.feed.send(an_insert(1))
        await eventually(lambda: not bench.listener.temporal_available)

        bench.stop.set()

        async with asyncio.timeout(2):
            await bench.running


async def test_a_fault_in_hearing_is_survived_and_what_came_meanwhile_is_swept() -> None:
    async with listening() as bench:
        await eventually(lambda: bench.listener.counters.sweeps == 1)
        bench.store.due["ent1"] = {7}
        bench.store.unread_rules["ent2"] = 1.0

        bench.feed.send(KeyError("defect"))

        await eventually(lambda: bench.temporal.rows == [7])
        await eventually(lambda: bench.temporal.rules_told == ["ent2"])
        bench.feed.send(an_insert(8))
        await eventually(lambda: bench.temporal.rows == [7, 8])
        assert [(part.part, part.faults, part.running) for part in bench.listener.parts.failing()] == [
            ("feed", 1, True)
        ]


async def test_a_feed_that_ends_by_itself_is_begun_anew() -> None:
    async with listening() as bench:
        bench.feed.send(None, an_insert(8))

        await eventually(lambda: bench.temporal.rows == [8])
        assert [part.last_fault for part in bench.listener.parts.failing()] == ["RuntimeError"]
