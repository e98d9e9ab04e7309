"""Batches become workflows, and an outage of Temporal becomes a sweep."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from temporalio.service import RPCError, RPCStatusCode

from listener.batcher import Batch
from listener.counters import ListenerCounters
from listener.dispatcher import Dispatcher
from listener.floods import COUNTED_SECONDS, Floods
from listener.workflows import StartWork, Work
from shared.notification.priority import NORMAL
from shared.supervision import Supervisor
from shared.temporal.messages import Portion
from tests.unit.listener.fakes import FakeTemporal, eventually


class Recoveries:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def a_batch(enterprise_id: str, notification_ids: tuple[int, ...], work: Work = Work.PROCESSING) -> Batch:
    return Batch(work, (Portion(enterprise_id, list(notification_ids)),))


def a_dispatcher(
    temporal: FakeTemporal,
    counters: ListenerCounters,
    recoveries: Recoveries,
    *,
    concurrency: int = 2,
    floods: Floods | None = None,
    start: StartWork | None = None,
) -> Dispatcher:
    return Dispatcher(
        {Work.PROCESSING: start} if start else temporal.workflows.start,
        counters,
        on_recovery=recoveries,
        floods=floods or Floods(lambda _: None),
        until_done=temporal.until_done,
        concurrency=concurrency,
        first_backoff_seconds=0.001,
    )


@asynccontextmanager
async def running(dispatcher: Dispatcher, parts: Supervisor | None = None) -> AsyncIterator[None]:
    task = asyncio.create_task(dispatcher.run(parts or Supervisor()))
    try:
        yield
    finally:
        task.cancel()


async def test_every_batch_is_started() -> None:
    temporal, counters = FakeTemporal(), ListenerCounters()
    dispatcher = a_dispatcher(temporal, counters, Recoveries())

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await dispatcher.hand_over(a_batch("ent2", (2, 3)))
        await dispatcher.drain()

    assert temporal.started == [("ent1", (1,)), ("ent2", (2, 3))]
    assert counters.batches == counters.workflows_started == 2


async def test_each_kind_of_work_has_a_workflow_of_its_own() -> None:
    temporal = FakeTemporal()
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries())

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent1", (1,), Work.RETRACTION))
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await dispatcher.drain()

    assert temporal.retractions == [("ent1", (1,))]
    assert temporal.started == [("ent1", (1,))]


async def test_work_that_runs_already_counts_as_success() -> None:
    temporal, counters = FakeTemporal(), ListenerCounters()
    temporal.running.add((1,))
    dispatcher = a_dispatcher(temporal, counters, Recoveries())

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await dispatcher.drain()

    assert counters.workflows_already_running == 1
    assert dispatcher.temporal_available


async def test_starts_are_bounded_and_the_queue_holds_back_whoever_hands_over() -> None:
    temporal = FakeTemporal()
    temporal.gate.clear()
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), concurrency=2)

    async with running(dispatcher):
        for number in range(4):  # two being started, two queued
            await dispatcher.hand_over(a_batch("ent1", (number,)))
            await eventually(lambda: temporal.attempts >= 1)
        fifth = asyncio.create_task(dispatcher.hand_over(a_batch("ent1", (5,))))
        await eventually(lambda: temporal.attempts == 2)
        assert not fifth.done()
        temporal.gate.set()
        await fifth
        await dispatcher.drain()

    assert len(temporal.started) == 5


async def test_an_outage_drops_what_is_held_and_ends_in_one_sweep() -> None:
    temporal, counters, recoveries = FakeTemporal(), ListenerCounters(), Recoveries()
    temporal.is_away = True
    dispatcher = a_dispatcher(temporal, counters, recoveries)

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await eventually(lambda: not dispatcher.temporal_available)
        for number in range(2, 52):
            await dispatcher.hand_over(a_batch("ent1", (number,)))
        await eventually(lambda: counters.rows_dropped_while_temporal_was_away == 50)
        assert recoveries.count == 0
        temporal.is_away = False
        await dispatcher.wait_until_available()

    assert recoveries.count == 1
    assert temporal.rows == [1], "the batch that probed"


async def test_draining_during_an_outage_does_not_wait_for_temporal() -> None:
    temporal = FakeTemporal()
    temporal.is_away = True
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries())

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await eventually(lambda: not dispatcher.temporal_available)

        async with asyncio.timeout(1):
            await dispatcher.drain()


async def test_a_defect_is_not_taken_for_an_outage_and_its_rows_are_swept_afresh() -> None:
    faults = [KeyError("defect")]
    started: list[Sequence[int]] = []

    async def start(portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        if faults:
            raise faults.pop()
        started.append(portions[0].notification_ids)
        return True

    recoveries, parts = Recoveries(), Supervisor(first_backoff_seconds=0.001)
    dispatcher = a_dispatcher(FakeTemporal(), ListenerCounters(), recoveries, concurrency=1, start=start)
    async with running(dispatcher, parts):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await dispatcher.hand_over(a_batch("ent1", (2,)))
        await eventually(lambda: started == [[2]])

    assert dispatcher.temporal_available
    assert recoveries.count == 1, "the first batch is gone: its rows are in the table"
    assert [(part.part, part.last_fault) for part in parts.failing()] == [("workflow starter", "KeyError")]


async def test_who_sits_out_an_outage_and_meets_a_defect_leaves_nobody_waiting() -> None:
    answers = [RPCError("away", RPCStatusCode.UNAVAILABLE, b""), KeyError("defect")]

    async def start(portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        if answers:
            raise answers.pop(0)
        return True

    counters = ListenerCounters()
    dispatcher = a_dispatcher(FakeTemporal(), counters, Recoveries(), concurrency=1, start=start)
    async with running(dispatcher, Supervisor(first_backoff_seconds=0.001)):
        await dispatcher.hand_over(a_batch("ent1", (1,)))
        await eventually(lambda: not answers)

        async with asyncio.timeout(1):
            await dispatcher.wait_until_available()


A_FLOOD = Batch(Work.PROCESSING, (Portion("ent1", [1, 2, 3]),), is_flood=True)


def one_at_a_time() -> tuple[Floods, list[str]]:
    """Where one is under way, and more wait for it; whose flood may go on."""
    room: list[str] = []
    floods = Floods(room.append, most=1)
    floods.began(A_FLOOD.whose)
    assert not floods.admits(A_FLOOD.whose)
    return floods, room


async def test_a_flood_goes_on_when_what_is_under_way_of_it_is_done() -> None:
    temporal, (floods, room) = FakeTemporal(), one_at_a_time()
    temporal.done.clear()
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), floods=floods)

    async with running(dispatcher):
        await dispatcher.hand_over(A_FLOOD)
        await dispatcher.drain()
        assert not floods.admits(A_FLOOD.whose)
        temporal.done.set()
        await eventually(lambda: floods.admits(A_FLOOD.whose))

    assert room == ["ent1"]


async def test_a_batch_that_waits_for_somebody_holds_its_flood_up_for_half_a_minute_at_most() -> None:
    temporal, (floods, _) = FakeTemporal(), one_at_a_time()
    temporal.done.clear()
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), floods=floods)

    async with running(dispatcher):
        await dispatcher.hand_over(A_FLOOD)
        await asyncio.sleep(COUNTED_SECONDS - 1)
        assert not floods.admits(A_FLOOD.whose)

        await asyncio.sleep(2)
        assert floods.admits(A_FLOOD.whose)


async def test_a_batch_that_runs_already_is_waited_for_as_if_it_were_started() -> None:
    temporal, (floods, _) = FakeTemporal(), one_at_a_time()
    temporal.running.add((1, 2, 3))
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), floods=floods)

    async with running(dispatcher):
        await dispatcher.hand_over(A_FLOOD)
        await eventually(lambda: floods.admits(A_FLOOD.whose))


async def test_a_batch_that_is_dropped_keeps_no_flood_waiting() -> None:
    temporal, (floods, _) = FakeTemporal(), one_at_a_time()
    temporal.is_away = True
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), floods=floods)

    async with running(dispatcher):
        await dispatcher.hand_over(a_batch("ent2", (9,)))
        await eventually(lambda: not dispatcher.temporal_available)
        await dispatcher.hand_over(A_FLOOD)
        await eventually(lambda: floods.admits(A_FLOOD.whose))


async def test_a_batch_at_whose_start_a_defect_is_met_keeps_no_flood_waiting() -> None:
    floods, _ = one_at_a_time()
    faults: list[Exception] = [KeyError("defect")]

    async def start(portions: Sequence[Portion], *, priority: int = NORMAL) -> bool:
        raise faults.pop()

    dispatcher = a_dispatcher(FakeTemporal(), ListenerCounters(), Recoveries(), floods=floods, start=start)
    async with running(dispatcher):
        await dispatcher.hand_over(A_FLOOD)
        await eventually(lambda: floods.admits(A_FLOOD.whose))


async def test_where_nobody_can_tell_whether_a_batch_is_done_the_flood_goes_on() -> None:
    temporal, (floods, _) = FakeTemporal(), one_at_a_time()
    dispatcher = a_dispatcher(temporal, ListenerCounters(), Recoveries(), floods=floods)

    async def nobody_knows(portion: Portion) -> None:
        raise KeyError("defect")

    dispatcher._until_done = nobody_knows
    async with running(dispatcher, Supervisor()):
        await dispatcher.hand_over(A_FLOOD)
        await eventually(lambda: floods.admits(A_FLOOD.whose))
