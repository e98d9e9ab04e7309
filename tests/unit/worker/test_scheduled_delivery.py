from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from shared.notification.priority import NORMAL
from shared.ports import DueScheduled
from worker.activities.scheduled_delivery import ScheduledDelivery, ScheduledPass

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def due(*ids: int, next_in: float | None = None, has_more: bool = False) -> DueScheduled:
    next_due_at = None if next_in is None else NOW + timedelta(seconds=next_in)
    return DueScheduled(NOW, ids, has_more, next_due_at)


class FakeStore:
    """Answers in turn; the last answer for ever."""

    def __init__(self, *answers: DueScheduled) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def due_scheduled(self, enterprise_id: str, *, limit: int) -> DueScheduled:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


class FakeStarter:
    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []
        self.priorities: list[int] = []

    async def start(self, enterprise_id: str, notification_ids: Sequence[int], *, priority: int = NORMAL) -> bool:
        self.batches.append(tuple(notification_ids))
        self.priorities.append(priority)
        return True


async def run(store: FakeStore, starter: FakeStarter) -> ScheduledPass:
    result: ScheduledPass = await ActivityEnvironment().run(ScheduledDelivery(store, starter).start_due, "ent1")
    return result


async def test_due_rows_are_started_in_batches_earliest_first() -> None:
    starter = FakeStarter()

    result = await run(FakeStore(due(*range(600), next_in=60)), starter)

    assert [len(batch) for batch in starter.batches] == [250, 250, 100]
    assert [number for batch in starter.batches for number in batch] == list(range(600))
    assert result == ScheduledPass(600, 60.0)


async def test_with_nothing_scheduled_it_sleeps_until_somebody_rings() -> None:
    assert await run(FakeStore(due()), FakeStarter()) == ScheduledPass(0, None)


async def test_what_is_due_in_a_moment_is_waited_for_instead_of_left_to_a_coarse_timer() -> None:
    store, starter = FakeStore(due(next_in=0.05), due(7, next_in=30)), FakeStarter()

    result = await run(store, starter)

    assert starter.batches == [(7,)]
    assert result == ScheduledPass(1, 30.0)


async def test_a_full_page_is_asked_for_again() -> None:
    store, starter = FakeStore(due(1, 2, has_more=True), due(3)), FakeStarter()

    result = await run(store, starter)

    assert starter.batches == [(1, 2), (3,)]
    assert result == ScheduledPass(3, None)


async def test_a_row_that_waits_for_its_claim_is_not_started_again() -> None:
    starter = FakeStarter()

    result = await run(FakeStore(due(7, next_in=0.05), due(7, 8, next_in=30)), starter)

    assert starter.batches == [(7,), (8,)]
    assert result == ScheduledPass(2, 30.0)


async def test_a_row_that_was_put_off_is_started_again_when_it_is_due_again() -> None:
    starter = FakeStarter()

    await run(FakeStore(due(7, next_in=0.05), due(next_in=0.05), due(7, next_in=30)), starter)

    assert starter.batches == [(7,), (7,)]


async def test_due_rows_of_different_priority_are_started_apart_the_first_first() -> None:
    starter = FakeStarter()
    store = FakeStore(replace(due(1, 2, 3, 4, next_in=60), priorities={4: 1, 1: 5}))

    await run(store, starter)

    assert list(zip(starter.priorities, starter.batches, strict=True)) == [(1, (4,)), (3, (2, 3)), (5, (1,))]
