"""Due rows that nobody rang for are found, page by page, at the batcher's pace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from listener.batcher import Batch, Batcher
from listener.counters import ListenerCounters
from listener.floods import Floods, Whose
from listener.handed_over import HandedOver
from listener.sweeper import Sweeper
from listener.workflows import Work
from shared.notification.priority import NORMAL
from shared.supervision import Supervisor
from tests.unit.listener.fakes import FakeStore, eventually

NEVER = 3600.0


@dataclass
class Bench:
    store: FakeStore
    sweeper: Sweeper
    counters: ListenerCounters
    taken: dict[str, list[int]]
    is_open: asyncio.Event
    useful: asyncio.Event
    waiting: asyncio.Event
    scheduled: list[tuple[str, datetime]]
    retracted: list[int]
    parts: Supervisor
    priorities: dict[int, int]


@asynccontextmanager
async def sweeping(
    due: Mapping[str, Collection[int]],
    *,
    interval_seconds: float = NEVER,
    capacity: int = 50_000,
    floods: Floods | None = None,
) -> AsyncIterator[Bench]:
    """A running sweeper over a table, feeding batches of three rows; pages have four."""
    store, counters, handed_over = FakeStore(due), ListenerCounters(), HandedOver(capacity=capacity)
    taken: dict[str, list[int]] = {enterprise_id: [] for enterprise_id in due}
    is_open = asyncio.Event()
    is_open.set()
    scheduled: list[tuple[str, datetime]] = []
    retracted: list[int] = []
    priorities: dict[int, int] = {}
    useful, waiting = asyncio.Event(), asyncio.Event()
    useful.set()
    parts = Supervisor()

    async def take(batch: Batch) -> None:
        await is_open.wait()
        for portion in batch.portions:
            taken[portion.enterprise_id].extend(portion.notification_ids)
        priorities.update(dict.fromkeys(batch.notification_ids, batch.priority))

    def batcher_for(work: Work, memory: HandedOver, take: Callable[[Batch], Awaitable[None]]) -> Batcher:
        return Batcher(
            work, memory, take, on_full_batch=lambda _: None, window_seconds=0.0, batch_size=3, floods=floods
        )

    async def take_retractions(batch: Batch) -> None:
        retracted.extend(batch.notification_ids)

    batchers = {
        Work.PROCESSING: batcher_for(Work.PROCESSING, handed_over, take),
        Work.RETRACTION: batcher_for(Work.RETRACTION, HandedOver(), take_retractions),
    }

    async def wait_until_useful() -> None:
        waiting.set()
        await useful.wait()

    sweeper = Sweeper(
        store,
        batchers,
        due,
        handed_over,
        counters,
        interval_seconds=interval_seconds,
        on_earliest_scheduled=lambda enterprise_id, instant: scheduled.append((enterprise_id, instant)),
        wait_until_useful=wait_until_useful,
        first_backoff_seconds=0.001,
        page_size=4,
    )
    tasks = [asyncio.create_task(batcher.run()) for batcher in batchers.values()]
    tasks.append(asyncio.create_task(sweeper.run(parts)))
    try:
        yield Bench(store, sweeper, counters, taken, is_open, useful, waiting, scheduled, retracted, parts, priorities)
    finally:
        for task in tasks:
            task.cancel()


async def test_every_page_of_every_enterprise_is_read_to_the_end() -> None:
    due = {"ent1": range(1, 12), "ent2": range(100, 103), "ent3": ()}

    async with sweeping(due) as bench:
        bench.sweeper.request_all()
        await eventually(lambda: len(bench.taken["ent1"]) == 11 and len(bench.taken["ent2"]) == 3)

    assert bench.taken["ent1"] == list(range(1, 12))
    assert bench.store.calls[0] == (frozenset(due), 0), "one call for all enterprises"
    assert bench.store.calls[1:] == [(frozenset({"ent1"}), 4), (frozenset({"ent1"}), 8)]


async def test_all_enterprises_are_swept_every_interval() -> None:
    async with sweeping({"ent1": ()}, interval_seconds=0.01) as bench:
        bench.store.due["ent1"].add(5)

        await eventually(lambda: bench.taken["ent1"] == [5])


async def test_a_flood_that_waits_holds_no_sweep_up_and_is_read_again_when_it_goes_on() -> None:
    flood = Whose(NORMAL, "flood")
    floods = Floods(lambda enterprise_id: bench.sweeper.request({enterprise_id}), most=1)

    async with sweeping({"flood": range(1, 31), "ent2": [100]}, floods=floods) as bench:
        bench.sweeper.request({"flood"})
        await eventually(lambda: not floods.admits(flood))
        bench.sweeper.request({"ent2"})
        await eventually(lambda: bench.taken["ent2"] == [100])
        assert len(bench.taken["flood"]) < 30

        def all_have_gone_on() -> bool:
            if not floods.admits(flood):
                floods.ended(flood)
            return len(bench.taken["flood"]) == 30

        await eventually(all_have_gone_on)

    assert bench.taken["flood"] == list(range(1, 31))


async def test_requests_for_one_enterprise_do_not_put_off_the_sweep_of_all() -> None:
    async with sweeping({"ent1": (), "ent2": ()}, interval_seconds=0.05) as bench:
        bench.store.due["ent2"].add(5)

        def nagging() -> bool:
            bench.sweeper.request({"ent1"})
            return bench.taken["ent2"] == [5]

        await eventually(nagging)


async def test_a_request_sweeps_only_whom_it_names() -> None:
    async with sweeping({"ent1": [1], "ent2": [2]}) as bench:
        bench.sweeper.request({"ent2"})
        await eventually(lambda: bench.taken["ent2"] == [2])

    assert bench.taken["ent1"] == []


async def test_requests_made_during_a_sweep_are_one_more_sweep() -> None:
    async with sweeping({"ent1": range(1, 12)}) as bench:
        bench.is_open.clear()
        bench.sweeper.request_all()
        await eventually(lambda: bench.counters.sweeps == 1)
        for _ in range(5):
            bench.sweeper.request({"ent1"})
        bench.is_open.set()
        await eventually(lambda: bench.counters.sweeps == 2 and len(bench.taken["ent1"]) == 11)

    assert [after_id for _, after_id in bench.store.calls].count(0) == 2


async def test_an_enterprise_with_a_backlog_does_not_hold_up_another() -> None:
    async with sweeping({"ent1": range(1, 100), "ent2": range(200, 230)}) as bench:
        bench.sweeper.request_all()

        await eventually(lambda: len(bench.taken["ent2"]) == 30)

    in_order = list(bench.priorities)
    assert sum(taken < 100 for taken in in_order[: in_order.index(229)]) < 60, "they take turns"


async def test_catching_up_lasts_until_the_gap_is_swept() -> None:
    async with sweeping({"ent1": range(1, 12)}) as bench:
        bench.is_open.clear()
        bench.sweeper.catch_up({"ent1"})
        await eventually(lambda: bench.counters.sweeps == 1)
        assert bench.sweeper.catching_up == {"ent1"}

        bench.is_open.set()

        await eventually(lambda: not bench.sweeper.catching_up)


async def test_a_database_that_is_away_delays_the_sweep() -> None:
    async with sweeping({"ent1": [1]}) as bench:
        bench.store.failures_to_come = 3

        bench.sweeper.request_all()

        await eventually(lambda: bench.taken["ent1"] == [1])
        assert bench.counters.sweeps_delayed_by_database == 3


async def test_nothing_is_swept_while_it_would_be_useless() -> None:
    async with sweeping({"ent1": [1]}) as bench:
        bench.useful.clear()
        bench.sweeper.request_all()
        await bench.waiting.wait()
        assert bench.store.calls == []

        bench.useful.set()

        await eventually(lambda: bench.taken["ent1"] == [1])


async def test_a_sweep_stops_when_enough_is_under_way() -> None:
    async with sweeping({"ent1": range(1, 101)}, capacity=8) as bench:
        bench.sweeper.request_all()

        bench.sweeper.catch_up({"ent1"})
        await eventually(lambda: bench.counters.sweeps >= 1 and not bench.sweeper.catching_up)
        await eventually(lambda: len(bench.taken["ent1"]) == 8)

    assert max(after_id for _, after_id in bench.store.calls) == 4, "the third page was not asked for"


async def test_recovered_rows_are_counted_by_what_had_happened_to_them() -> None:
    async with sweeping({"ent1": [1, 2, 3]}) as bench:
        bench.store.expired = {2}

        bench.sweeper.request_all()
        await eventually(lambda: len(bench.taken["ent1"]) == 3)

    assert bench.counters.recovered_pending == 2
    assert bench.counters.recovered_expired == 1
    assert bench.counters.swept == 3


async def test_the_next_scheduled_row_is_told_even_where_nothing_is_due() -> None:
    at_noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    async with sweeping({"ent1": (), "ent2": ()}) as bench:
        bench.store.next_scheduled_at = {"ent2": at_noon}

        bench.sweeper.request_all()

        await eventually(lambda: bench.scheduled == [("ent2", at_noon)])


async def test_retracted_rows_that_nobody_cancelled_are_found_once() -> None:
    async with sweeping({"ent1": [1, 2]}) as bench:
        bench.store.uncancelled = {"ent1": (1, 7, 8, 9)}

        bench.sweeper.request_all()
        await eventually(lambda: bench.retracted == [1, 7, 8, 9] and bench.taken["ent1"] == [1, 2])
        bench.sweeper.request_all()
        await eventually(lambda: bench.counters.sweeps == 2)

    assert bench.retracted == [1, 7, 8, 9], "whoever was just handed over is not handed over again"
    assert bench.counters.recovered_retractions == 4


class Unreadable(tuple[int, ...]):
    """Row ids that are none."""

    def __iter__(self) -> Iterator[int]:
        raise KeyError("foreign")


async def test_an_enterprise_over_which_a_sweep_stumbles_is_swept_again_and_the_others_are_swept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("listener.sweeper.STUMBLED_AGAIN_SECONDS", 0.01)
    async with sweeping({"ent1": [1], "ent2": range(100, 109)}) as bench:
        bench.store.uncancelled = {"ent1": Unreadable(), "ent2": (8,)}

        bench.sweeper.catch_up({"ent1", "ent2"})

        await eventually(lambda: bench.sweeper.catching_up == {"ent1"} and bench.counters.sweeps >= 2)
        assert (bench.taken["ent1"], bench.taken["ent2"], bench.retracted) == ([1], list(range(100, 109)), [8])
        assert bench.counters.enterprises["ent1"].last_sweep_at is None
        assert [(each.part, each.last_fault) for each in bench.parts.failing()] == [("sweeper", "KeyError")]

        bench.store.uncancelled = {"ent1": (7,)}

        await eventually(lambda: bench.retracted == [8, 7] and not bench.sweeper.catching_up)

    assert [ids for ids, after_id in bench.store.calls if after_id == 0][1:] == [{"ent1"}] * (bench.counters.sweeps - 1)


async def test_an_urgent_row_at_the_end_of_a_backlog_goes_first_and_each_with_its_priority() -> None:
    async with sweeping({"ent1": range(1, 12)}) as bench:
        bench.store.priorities = {11: 1, 2: 5}
        bench.sweeper.request_all()
        await eventually(lambda: len(bench.taken["ent1"]) == 11)

    assert bench.taken["ent1"][0] == 11
    assert sorted(bench.taken["ent1"]) == list(range(1, 12))
    assert bench.priorities[11] == 1
    assert bench.priorities[2] == 5
    assert bench.priorities[3] == 3
