"""Never waits, never grows without bound, never drops silently."""

import asyncio
from datetime import UTC, datetime, timedelta

from listener.doorbell.outbox import Outbox
from shared.ports import FeedGap, FeedLate, RowRetracted, RowScheduled, RuleChanged
from tests.unit.listener.fakes import an_insert


async def test_changes_come_in_order() -> None:
    outbox = Outbox()
    outbox.put_change(an_insert(1))
    outbox.put_change(an_insert(2))

    assert [await outbox.take(), await outbox.take()] == [an_insert(1), an_insert(2)]


async def test_a_change_without_room_becomes_a_gap_of_its_enterprise() -> None:
    outbox = Outbox(capacity=1)
    outbox.put_change(an_insert(1, "ent1"))
    for notification_id in range(2, 1000):
        outbox.put_change(an_insert(notification_id, "ent2"))

    gap = await outbox.take()

    assert isinstance(gap, FeedGap)
    assert gap.enterprise_ids == {"ent2"}
    assert await outbox.take() == an_insert(1, "ent1")


async def test_gaps_for_one_reason_are_one_gap() -> None:
    outbox = Outbox()
    outbox.put_gap(["ent1"], "subscribed")
    outbox.put_gap(["ent2"], "malformed")
    outbox.put_gap(["ent3"], "subscribed")

    assert await outbox.take() == FeedGap(frozenset({"ent1", "ent3"}), "subscribed")
    assert await outbox.take() == FeedGap(frozenset({"ent2"}), "malformed")


async def test_a_thousand_changes_of_an_enterprises_rules_are_one() -> None:
    outbox = Outbox(capacity=1)
    for _ in range(1000):
        outbox.put_change(RuleChanged("ent1"))
    outbox.put_change(RuleChanged("ent2"))
    outbox.close()

    assert [await outbox.take() for _ in range(3)] == [RuleChanged("ent1"), RuleChanged("ent2"), None]


async def test_of_a_thousand_scheduled_rows_the_earliest_counts() -> None:
    outbox = Outbox(capacity=1)
    at_noon = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for minutes in range(-500, 500):
        outbox.put_change(RowScheduled("ent1", at_noon + timedelta(minutes=abs(minutes))))
    outbox.put_change(RowScheduled("ent2", at_noon))
    outbox.close()

    assert [await outbox.take() for _ in range(3)] == [
        RowScheduled("ent1", at_noon),
        RowScheduled("ent2", at_noon),
        None,
    ]


async def test_a_retraction_without_room_becomes_a_gap() -> None:
    outbox = Outbox(capacity=1)
    outbox.put_change(RowRetracted("ent1", 1))
    outbox.put_change(RowRetracted("ent2", 2))

    gap = await outbox.take()

    assert isinstance(gap, FeedGap)
    assert gap.enterprise_ids == {"ent2"}
    assert await outbox.take() == RowRetracted("ent1", 1)


async def test_whoever_waits_is_woken() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)

    outbox.put_change(an_insert(1))

    assert await waiting == an_insert(1)


async def test_a_closed_outbox_ends_after_what_it_holds() -> None:
    outbox = Outbox()
    outbox.put_change(an_insert(1))

    outbox.close()

    assert await outbox.take() == an_insert(1)
    assert await outbox.take() is None


async def test_late_enterprises_that_wait_to_be_taken_are_one_piece_of_news() -> None:
    outbox = Outbox()
    outbox.put_change(an_insert(1))
    outbox.put_late({"ent1"})
    outbox.put_late({"ent1", "ent2"})

    assert await outbox.take() == FeedLate(frozenset({"ent1", "ent2"}))
    assert await outbox.take() == an_insert(1)
