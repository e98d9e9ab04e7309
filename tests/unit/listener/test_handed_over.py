"""The memory that keeps an event and a sweep from starting the same row twice."""

from datetime import UTC, datetime

from listener.handed_over import HandedOver
from shared.ports import ChangeType, RowChange


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def an_update(notification_id: int, committed_at: float) -> RowChange:
    return RowChange("ent1", notification_id, ChangeType.UPDATE, datetime.fromtimestamp(committed_at, UTC))


def an_insert(notification_id: int, committed_at: float | None = None) -> RowChange:
    moment = None if committed_at is None else datetime.fromtimestamp(committed_at, UTC)
    return RowChange("ent1", notification_id, ChangeType.INSERT, moment)


def test_a_sweep_does_not_start_again_what_an_event_just_started() -> None:
    handed_over = HandedOver(clock=Clock())

    assert handed_over.take_change(an_insert(1))

    assert not handed_over.take_due(1)


def test_the_late_event_of_a_row_that_a_sweep_found_is_old_news() -> None:
    clock = Clock()
    handed_over = HandedOver(clock=clock)

    assert handed_over.take_due(1)

    assert not handed_over.take_change(an_insert(1, committed_at=clock.now + 1))
    assert not handed_over.take_change(an_update(1, committed_at=clock.now - 0.3))


def test_an_update_after_the_row_was_released_rings_again() -> None:
    clock = Clock()
    handed_over = HandedOver(clock=clock)
    assert handed_over.take_change(an_insert(1))

    clock.now += 2
    released = an_update(1, committed_at=clock.now - 0.1)

    assert handed_over.take_change(released)
    assert not handed_over.take_change(released), "the same update twice"


def test_a_row_still_due_after_a_while_is_handed_over_anew() -> None:
    clock = Clock()
    handed_over = HandedOver(seconds=15, clock=clock)
    assert handed_over.take_due(1)

    clock.now += 15.1

    assert handed_over.take_due(1)


def test_an_insert_rings_again_once_the_row_is_forgotten() -> None:
    clock = Clock()
    handed_over = HandedOver(seconds=15, clock=clock)
    assert handed_over.take_change(an_insert(1))

    clock.now += 15.1

    assert handed_over.take_change(an_insert(1))


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    handed_over = HandedOver(capacity=2, clock=Clock())
    assert handed_over.take_due(1)
    assert handed_over.take_due(2)
    assert handed_over.is_full

    assert handed_over.take_change(an_insert(3))

    assert handed_over.take_due(1), "forgotten, so fair game"
    assert not handed_over.take_due(3)


def test_age_makes_room() -> None:
    clock = Clock()
    handed_over = HandedOver(seconds=15, capacity=1, clock=clock)
    assert handed_over.take_due(1)

    clock.now += 16

    assert not handed_over.is_full


def test_after_an_outage_everything_is_fair_game() -> None:
    handed_over = HandedOver(clock=Clock())
    assert handed_over.take_due(1)

    handed_over.forget_all()

    assert handed_over.take_due(1)
