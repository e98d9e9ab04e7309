"""One id under light load, a batch in a burst, a batch of many enterprises' where each has a few."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.batcher import LONGEST_WINDOW_SECONDS, ROWS_PER_TURN, Batch, Batcher
from listener.floods import Floods, Whose
from listener.handed_over import HandedOver
from listener.workflows import Work
from shared.notification.priority import NORMAL
from shared.temporal.messages import Portion
from tests.unit.listener.fakes import an_insert, eventually

NEVER = 3600.0


class Taker:
    """Takes batches, unless told to keep them waiting."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.taken_at: list[float] = []
        self.open = asyncio.Event()
        self.open.set()
        self.filled_by: list[str] = []

    async def hand_over(self, batch: Batch) -> None:
        await self.open.wait()
        self.batches.append(batch)
        self.taken_at.append(asyncio.get_running_loop().time())

    def on_full_batch(self, enterprise_id: str) -> None:
        self.filled_by.append(enterprise_id)


def a_batcher(
    taker: Taker,
    *,
    window_seconds: float = 0.0,
    batch_size: int = 3,
    room_for_batches: int = 2,
    shared: bool = True,
    floods: Floods | None = None,
) -> Batcher:
    return Batcher(
        Work.PROCESSING,
        HandedOver(),
        taker.hand_over,
        on_full_batch=taker.on_full_batch,
        window_seconds=window_seconds,
        batch_size=batch_size,
        room_for_batches=room_for_batches,
        shared=shared,
        floods=floods,
    )


@asynccontextmanager
async def running(batcher: Batcher) -> AsyncIterator[None]:
    task = asyncio.create_task(batcher.run())
    try:
        yield
    finally:
        task.cancel()


async def test_a_lone_row_is_a_batch_of_one_and_waits_for_no_window() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=NEVER)

    async with running(batcher):
        assert batcher.offer(an_insert(7))
        await eventually(lambda: bool(taker.batches))

    assert taker.batches == [Batch(Work.PROCESSING, (Portion("ent1", [7]),))]
    assert taker.filled_by == []


async def test_a_full_batch_does_not_wait_for_the_window_and_asks_for_a_sweep() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=NEVER)

    async with running(batcher):
        batcher.offer(an_insert(7))
        await eventually(lambda: bool(taker.batches))
        for notification_id in (1, 2, 3):
            batcher.offer(an_insert(notification_id))
        await eventually(lambda: len(taker.batches) == 2)

    assert taker.batches[1] == Batch(Work.PROCESSING, (Portion("ent1", [1, 2, 3]),))
    assert taker.filled_by == ["ent1"]


async def test_what_follows_within_the_window_is_gathered_until_it_ends() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=0.05)

    async with running(batcher):
        for notification_id in (1, 2, 3):
            batcher.offer(an_insert(notification_id))
            await asyncio.sleep(0.001)
        await eventually(lambda: len(taker.batches) == 2)

    assert [batch.notification_ids for batch in taker.batches] == [(1,), (2, 3)]
    assert taker.taken_at == [0.0, 0.05]


async def test_while_rows_keep_coming_they_are_gathered_for_longer_and_longer_until_there_is_a_rest() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=0.005, batch_size=100, room_for_batches=10)

    async with running(batcher):
        for notification_id in range(1, 126):
            batcher.offer(an_insert(notification_id))
            await asyncio.sleep(0.004)
        await eventually(lambda: taker.batches[-1].notification_ids[-1] == 125)
        await asyncio.sleep(LONGEST_WINDOW_SECONDS)
        batcher.offer(an_insert(2_000))
        rested_until = asyncio.get_running_loop().time()
        await eventually(lambda: taker.batches[-1].notification_ids == (2_000,))

    windows = [after - before for before, after in pairwise(taker.taken_at[:-1])]
    assert windows == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1, 0.1, 0.1])
    assert taker.taken_at[-1] == rested_until


async def test_a_batch_that_a_sweep_filled_asks_for_no_sweep() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=NEVER)

    async with running(batcher):
        for notification_id in (1, 2, 3):
            await batcher.add("ent1", notification_id)
        await eventually(lambda: bool(taker.batches))

    assert taker.filled_by == []


async def test_what_exceeds_a_batch_goes_into_the_next() -> None:
    taker = Taker()
    batcher = a_batcher(taker)
    for notification_id in range(1, 6):
        batcher.offer(an_insert(notification_id))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 2)

    assert [batch.notification_ids for batch in taker.batches] == [(1, 2, 3), (4, 5)]


async def test_a_row_handed_over_already_is_not_held() -> None:
    batcher = a_batcher(Taker())
    assert batcher.offer(an_insert(1))

    assert not batcher.offer(an_insert(1))
    assert not await batcher.add("ent1", 1)


async def test_changes_are_refused_when_there_is_no_room() -> None:
    batcher = a_batcher(Taker(), batch_size=3, room_for_batches=2)

    for notification_id in range(1, 7):
        assert batcher.has_room("ent1")
        batcher.offer(an_insert(notification_id))

    assert not batcher.has_room("ent1")


async def test_a_sweep_waits_while_a_batch_is_full_and_goes_on_when_it_is_taken() -> None:
    taker = Taker()
    taker.open.clear()
    batcher = a_batcher(taker, window_seconds=NEVER)
    added: list[int] = []

    async def sweep() -> None:
        for notification_id in range(1, 10):
            await batcher.add("ent1", notification_id)
            added.append(notification_id)

    async with running(batcher):
        sweeping = asyncio.create_task(sweep())
        await eventually(lambda: len(added) == 6)  # one batch on its way, one full behind it
        assert not sweeping.done()
        taker.open.set()
        await sweeping
        await eventually(lambda: len(taker.batches) == 3)

    assert [batch.notification_ids for batch in taker.batches] == [(1, 2, 3), (4, 5, 6), (7, 8, 9)]


async def test_flush_hands_over_all_that_is_held() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=NEVER)
    for notification_id in range(1, 6):
        batcher.offer(an_insert(notification_id))

    await batcher.flush()

    assert [batch.notification_ids for batch in taker.batches] == [(1, 2, 3), (4, 5)]


async def test_a_flush_within_the_window_leaves_nothing_to_hand_over_at_its_end() -> None:
    taker = Taker()
    batcher = a_batcher(taker, window_seconds=0.02)

    async with running(batcher):
        batcher.offer(an_insert(1))
        await eventually(lambda: bool(taker.batches))
        batcher.offer(an_insert(2))
        await asyncio.sleep(0)  # it waits for the window to end
        await batcher.flush()
        await asyncio.sleep(0.03)
        batcher.offer(an_insert(3))
        await eventually(lambda: len(taker.batches) >= 3)

    assert [batch.notification_ids for batch in taker.batches] == [(1,), (2,), (3,)]


async def test_priorities_share_no_batch_and_the_first_goes_first() -> None:
    taker = Taker()
    batcher = a_batcher(taker)

    async with running(batcher):
        for notification_id, priority in ((1, 5), (2, 3), (3, 1), (4, 5)):
            batcher.offer(replace(an_insert(notification_id), priority=priority))
        await eventually(lambda: len(taker.batches) == 3)

    assert [(batch.priority, batch.notification_ids) for batch in taker.batches] == [(1, (3,)), (3, (2,)), (5, (1, 4))]


async def test_what_waits_of_one_priority_takes_no_room_from_another() -> None:
    taker = Taker()
    taker.open.clear()
    batcher = a_batcher(taker, batch_size=2, room_for_batches=1)
    for notification_id in (1, 2):
        batcher.offer(replace(an_insert(notification_id), priority=5))

    assert not batcher.has_room("ent1", 5)
    assert batcher.has_room("ent1", 1)
    async with asyncio.timeout(1):
        assert await batcher.add("ent1", 3, 1)


async def test_a_priority_that_never_ends_does_not_keep_the_last_for_ever() -> None:
    taker = Taker()
    batcher = a_batcher(taker, batch_size=1)
    batcher.offer(replace(an_insert(1), priority=5))
    for notification_id in range(2, 4):
        batcher.offer(replace(an_insert(notification_id), priority=1))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 3)

    assert [batch.notification_ids for batch in taker.batches] == [(2,), (1,), (3,)]


def portions(taker: Taker) -> list[dict[str, list[int]]]:
    return [{portion.enterprise_id: portion.notification_ids for portion in batch.portions} for batch in taker.batches]


async def test_enterprises_with_a_row_each_share_a_batch() -> None:
    taker = Taker()
    batcher = a_batcher(taker)
    for number in (1, 2, 3, 4):
        batcher.offer(an_insert(number, f"ent{number}"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 2)

    assert portions(taker) == [{"ent1": [1], "ent2": [2], "ent3": [3]}, {"ent4": [4]}]


async def test_a_flood_fills_batches_of_its_own_and_leaves_the_shared_ones_to_the_others() -> None:
    taker = Taker()
    batcher = a_batcher(taker)
    for number in range(10, 17):
        batcher.offer(an_insert(number, "flood"))
    for number in (1, 2):
        batcher.offer(an_insert(number, f"ent{number}"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 4)

    assert portions(taker) == [
        {"flood": [10, 11, 12]},
        {"ent1": [1], "ent2": [2]},
        {"flood": [13, 14, 15]},
        {"flood": [16]},
    ]


async def test_a_shared_batch_is_filled_by_turns() -> None:
    taker = Taker()
    batcher = a_batcher(taker, batch_size=2 * ROWS_PER_TURN + 2)
    for number in range(10, 20):
        batcher.offer(an_insert(number, "many"))
    for number in (1, 2, 3):
        batcher.offer(an_insert(number, f"ent{number}"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 2)

    assert portions(taker) == [
        {"many": [10, 11, 12, 13, 14, 15, 16, 17, 18], "ent1": [1], "ent2": [2], "ent3": [3]},
        {"many": [19]},
    ]


async def test_who_has_more_than_a_turn_waits_for_the_turns_of_others() -> None:
    taker = Taker()
    batcher = a_batcher(taker, batch_size=ROWS_PER_TURN + 2)
    for number in range(10, 16):
        batcher.offer(an_insert(number, "many"))
    for number in (1, 2, 3):
        batcher.offer(an_insert(number, f"ent{number}"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 2)

    assert portions(taker) == [{"many": [10, 11, 12, 13, 14], "ent1": [1], "ent2": [2]}, {"ent3": [3], "many": [15]}]


async def test_where_enterprises_do_not_share_each_has_a_batch() -> None:
    taker = Taker()
    batcher = a_batcher(taker, shared=False)
    for number in (1, 2):
        batcher.offer(an_insert(number, f"ent{number}"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 2)

    assert portions(taker) == [{"ent1": [1]}, {"ent2": [2]}]


FLOOD = Whose(NORMAL, "flood")


async def test_a_flood_waits_for_its_first_batches_and_others_pass_it() -> None:
    taker, floods = Taker(), Floods(lambda _: None, most=1)
    batcher = a_batcher(taker, floods=floods)
    for number in range(10, 17):
        batcher.offer(an_insert(number, "flood"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 1)
        batcher.offer(an_insert(1, "ent1"))
        await eventually(lambda: len(taker.batches) == 2)
        assert batcher.is_held_up("flood")
        assert not batcher.is_held_up("ent1")
        floods.ended(FLOOD)
        await eventually(lambda: len(taker.batches) >= 3)
        floods.ended(FLOOD)
        await eventually(lambda: len(taker.batches) == 4)

    assert portions(taker) == [{"flood": [10, 11, 12]}, {"ent1": [1]}, {"flood": [13, 14, 15]}, {"flood": [16]}]
    assert [batch.is_flood for batch in taker.batches] == [True, False, True, False]


async def test_a_flood_that_waits_keeps_nobody_busy() -> None:
    taker, floods = Taker(), Floods(lambda _: None, most=1)
    batcher = a_batcher(taker, floods=floods)
    for number in range(10, 16):
        batcher.offer(an_insert(number, "flood"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 1)
        assert not batcher._arrived.is_set()
        assert not batcher._full.is_set()


async def test_urgent_rows_of_who_floods_do_not_wait_for_its_flood() -> None:
    taker, floods = Taker(), Floods(lambda _: None, most=1)
    batcher = a_batcher(taker, floods=floods)
    for number in range(10, 16):
        batcher.offer(an_insert(number, "flood"))

    async with running(batcher):
        await eventually(lambda: len(taker.batches) == 1)
        for number in (1, 2, 3):
            batcher.offer(replace(an_insert(number, "flood"), priority=1))
        await eventually(lambda: len(taker.batches) == 2)

    assert taker.batches[1].notification_ids == (1, 2, 3)


async def test_flush_hands_over_a_flood_that_waits() -> None:
    taker, floods = Taker(), Floods(lambda _: None, most=1)
    batcher = a_batcher(taker, floods=floods)
    for number in range(10, 17):
        batcher.offer(an_insert(number, "flood"))

    await batcher.flush()

    assert portions(taker) == [{"flood": [10, 11, 12]}, {"flood": [13, 14, 15]}, {"flood": [16]}]


async def test_a_flood_that_could_not_be_handed_over_counts_as_ended() -> None:
    taker, floods = Taker(), Floods(lambda _: None, most=1)
    batcher = a_batcher(taker, floods=floods)

    async def refuse(batch: Batch) -> None:
        raise KeyError("foreign")

    for number in (1, 2, 3):
        batcher.offer(an_insert(number, "flood"))
    batcher._hand_over = refuse
    with pytest.raises(KeyError):
        await batcher.flush()

    assert floods.admits(FLOOD)


async def test_each_enterprise_has_room_of_its_own() -> None:
    batcher = a_batcher(Taker(), batch_size=1, room_for_batches=1)
    batcher.offer(an_insert(1, "ent1"))

    assert not batcher.has_room("ent1")
    assert batcher.has_room("ent2")
    async with asyncio.timeout(1):
        assert await batcher.add("ent2", 2)


async def test_what_could_not_be_handed_over_goes_first_the_next_time() -> None:
    taker = Taker()
    batcher = a_batcher(taker)

    async def refuse(batch: Batch) -> None:
        raise KeyError("foreign")

    for number in (1, 2):
        batcher.offer(an_insert(number, f"ent{number}"))
    batcher._hand_over = refuse
    with pytest.raises(KeyError):
        await batcher.flush()
    batcher._hand_over = taker.hand_over
    batcher.offer(an_insert(3, "ent2"))

    await batcher.flush()

    assert portions(taker) == [{"ent1": [1], "ent2": [2, 3]}]


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=40),
    flood=st.integers(0, 60),
    batch_size=st.integers(10, 30),
)
def test_before_anybody_gets_a_second_batch_all_have_had_their_share(
    counts: list[int], flood: int, batch_size: int
) -> None:
    """Whoever floods: Jain's index of what the others have had of what they asked for is 1 by then."""
    demands = {f"ent{number}": min(count, batch_size) for number, count in enumerate(counts)} | {"flood": flood}

    async def hand_over_all() -> list[Batch]:
        taker = Taker()
        batcher = a_batcher(taker, batch_size=batch_size, room_for_batches=10)
        row = iter(range(1, 10_000))
        for enterprise_id in ("flood", *(each for each in demands if each != "flood")):
            for _ in range(demands[enterprise_id]):
                batcher.offer(an_insert(next(row), enterprise_id))
        await batcher.flush()
        return taker.batches

    batches = asyncio.run(hand_over_all())

    assert all(0 < len(batch.notification_ids) <= batch_size for batch in batches)
    given_so_far: Counter[str] = Counter()
    for batch in batches:
        for portion in batch.portions:
            if given_so_far[portion.enterprise_id] >= batch_size:
                had = [given_so_far[each] / demands[each] for each in demands if each != "flood"]
                assert sum(had) ** 2 / (len(had) * sum(share**2 for share in had)) >= 0.99
        for portion in batch.portions:
            given_so_far[portion.enterprise_id] += len(portion.notification_ids)
