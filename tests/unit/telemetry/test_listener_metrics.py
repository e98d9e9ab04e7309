"""The listener's counters and states, as they are read when metrics are collected."""

from collections.abc import Collection, Mapping

import pytest
from temporalio.service import RPCError, RPCStatusCode

from listener.backlog import Backlog
from listener.listener import Listener
from listener.observed import observe_listener
from shared.health.observations import TaskQueueObservation
from shared.ports import FeedState, SchedulerPass, StoreUnavailable, Unaccounted
from shared.shards import SHARDS, shard_of
from tests.unit.listener.fakes import FakeFeed, FakeStore, FakeTemporal
from tests.unit.telemetry.conftest import Recorded


def of(**attributes: str) -> frozenset[tuple[str, object]]:
    return frozenset((f"xnovu.{name.replace('_', '.')}", value) for name, value in attributes.items())


def test_subscriptions_and_counters_are_read_live(recorded: Recorded) -> None:
    feed = FakeFeed(["ent1", "ent2"])
    listener = Listener(feed, FakeStore(), FakeTemporal().workflows, ["ent1", "ent2"], sweep_interval_seconds=60)
    observe_listener(listener)

    feed.status.states.update(ent1=FeedState.SUBSCRIBED, ent2=FeedState.FAILED)
    listener.counters.changes = 5
    listener.counters.recovered_expired = 2

    live = recorded.latest("xnovu.listener.subscription.live")
    assert live == {of(shard=str(shard_of("ent1"))): 1, of(shard=str(shard_of("ent2"))): 0}
    assert recorded.latest("xnovu.listener.subscriptions")[of(state="failed")] == 1
    assert recorded.latest("xnovu.listener.changes")[of(change="notification")] == 5
    assert recorded.latest("xnovu.listener.recovered")[of(cause="lease_expired")] == 2
    assert recorded.latest("xnovu.listener.temporal.available") == {frozenset(): 1}


def test_thousands_of_enterprises_are_no_more_series_than_there_are_shards(recorded: Recorded) -> None:
    many = [f"customer-{number}" for number in range(2000)]
    feed = FakeFeed(many)
    listener = Listener(feed, FakeStore(), FakeTemporal().workflows, many, sweep_interval_seconds=60)
    observe_listener(listener)
    feed.status.states.update(dict.fromkeys(many, FeedState.SUBSCRIBED))
    feed.status.states[many[7]] = FeedState.RECONNECTING

    live = recorded.latest("xnovu.listener.subscription.live")

    assert len(live) == SHARDS
    assert [shard for shard, heard in live.items() if not heard] == [of(shard=str(shard_of(many[7])))]


class FakeOrchestrationStore:
    def __init__(self) -> None:
        self.is_away = False

    async def unaccounted(self, enterprise_ids: Collection[str], *, older_than_seconds: int) -> Unaccounted:
        if self.is_away:
            raise StoreUnavailable("restarting")
        return Unaccounted(7, 12.5)

    async def unaccounted_in(self, shards: Collection[int], *, older_than_seconds: int) -> Unaccounted:
        raise AssertionError("the orchestration's alone")

    async def scheduler_passes(self, enterprise_ids: Collection[str]) -> list[SchedulerPass]:
        return []


async def no_queues() -> Mapping[str, TaskQueueObservation]:
    raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")


async def queues() -> Mapping[str, TaskQueueObservation]:
    queue = TaskQueueObservation(
        backlog=3, backlog_age_seconds=1.5, added_per_second=0.0, dispatched_per_second=0.0, pollers=1
    )
    return {"workflow": queue}


async def test_what_waits_is_measured_and_what_does_not_answer_is_left_out(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FakeOrchestrationStore()
    backlog = Backlog(store, queues, ["ent1"])
    backlog.observe()

    await backlog.look()

    assert recorded.latest("xnovu.backlog.rows") == {frozenset(): 7}
    assert recorded.latest("xnovu.backlog.age") == {frozenset(): 12.5}
    assert recorded.latest("xnovu.task_queue.backlog") == {of(task_type="workflow"): 3}

    store.is_away = True
    monkeypatch.setattr(backlog, "_read_task_queues", no_queues)
    await backlog.look()
    assert recorded.latest("xnovu.backlog.rows") == {frozenset(): 7}

    monkeypatch.setattr(backlog, "_look_every_seconds", -1.0)
    assert recorded.latest("xnovu.backlog.rows") == {}
    assert recorded.latest("xnovu.task_queue.backlog.age") == {}
