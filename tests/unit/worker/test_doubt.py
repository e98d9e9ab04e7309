"""Rows of which nobody knows whether Novu has them: asked about, waited for, sent again, and never without a mark."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import Channel
from shared.notification.outcomes import Failed, Outcome, RefusalCode, Sent
from shared.ports import HeldClaim, StoreUnavailable, TriggerAccepted, TriggerEvent, TriggerFault, TriggerUnknown
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from tests.unit.worker.builders import (
    DYNAMIC,
    FakeRenderer,
    FakeStore,
    FakeTaken,
    FakeTrigger,
    a_notification,
    an_addressing,
    doubts,
    recipients,
)
from worker.activities.doubt import ASK_AGAIN_SECONDS, LONGEST_WAIT_SECONDS, MOST_REPEATS, DoubtRules, Doubts
from worker.activities.notification_delivery import NotificationDelivery

WAIT = 120.0
LOST = TriggerUnknown("ReadTimeout")


async def deliver(
    store: FakeStore, judge: Doubts, trigger: FakeTrigger | None = None, **info: Any
) -> NotificationProcessingResult:
    subject = NotificationDelivery(
        store, trigger or FakeTrigger(), FakeRenderer(), an_addressing(), judge, claim_lease_seconds=120
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    result: NotificationProcessingResult = await environment.run(
        subject.deliver, NotificationProcessingInput("ent1", list(store.rows))
    )
    return result


def losing(*lost: str) -> Callable[[TriggerEvent], TriggerAccepted | TriggerUnknown]:
    return lambda event: LOST if event.transaction_id in lost else TriggerAccepted()


async def test_a_row_whose_answer_is_lost_is_put_off_and_holds_no_worker() -> None:
    store = FakeStore(a_notification(1), a_notification(2))

    result = await deliver(store, doubts(wait_seconds=WAIT), FakeTrigger(losing("xnovu.1")))

    assert result == NotificationProcessingResult(sent=1, in_doubt=1)
    assert store.held == [HeldClaim(1, in_doubt=True, put_off_seconds=WAIT)]
    assert store.faults == {1: ("novu_fault", 1)}


async def test_a_row_in_doubt_that_novu_has_is_sent_and_not_sent_again() -> None:
    store, taken, trigger = FakeStore(a_notification(1, doubt_seconds=5.0)), FakeTaken("xnovu.1"), FakeTrigger()

    result = await deliver(store, doubts(taken, wait_seconds=WAIT), trigger)

    assert result == NotificationProcessingResult(sent=1)
    assert store.recorded == {1: Sent(1, "xnovu.1")}
    assert trigger.events == []
    assert store.held == []


@pytest.mark.parametrize("answers", [True, False], ids=["knows of none", "cannot be asked"])
async def test_a_row_in_doubt_that_novu_does_not_know_waits_for_the_rest_of_the_time(answers: bool) -> None:
    store, trigger = FakeStore(a_notification(1, doubt_seconds=50.0)), FakeTrigger()

    result = await deliver(store, doubts(FakeTaken(answers=answers), wait_seconds=WAIT), trigger)

    assert result == NotificationProcessingResult(in_doubt=1)
    assert store.held == [HeldClaim(1, put_off_seconds=70.0)]
    assert trigger.events == []


async def test_after_the_wait_novu_is_asked_once_more_and_the_row_is_marked_before_it_is_sent_again() -> None:
    taken = FakeTaken()
    store = FakeStore(a_notification(1, doubt_seconds=WAIT))
    marked: list[list[HeldClaim]] = []

    def answer(event: TriggerEvent) -> TriggerAccepted:
        marked.append(list(store.held))
        return TriggerAccepted()

    result = await deliver(store, doubts(taken, wait_seconds=WAIT), FakeTrigger(answer))

    assert result == NotificationProcessingResult(sent=1)
    assert taken.asked == ["xnovu.1"]
    assert marked == [[HeldClaim(1, answered=False, repeated=True)]]


async def test_while_novu_cannot_be_asked_nothing_is_sent_again() -> None:
    store, trigger = FakeStore(a_notification(1, doubt_seconds=10 * WAIT)), FakeTrigger()

    result = await deliver(store, doubts(FakeTaken(answers=False), wait_seconds=WAIT), trigger)

    assert result == NotificationProcessingResult(in_doubt=1)
    assert store.held == [HeldClaim(1, put_off_seconds=ASK_AGAIN_SECONDS)]
    assert trigger.events == []


async def test_a_row_that_is_somebody_else_s_when_it_is_to_be_marked_is_not_sent() -> None:
    store, trigger = FakeStore(a_notification(1, doubt_seconds=WAIT)), FakeTrigger()
    store.lost = {1}

    await deliver(store, doubts(wait_seconds=WAIT), trigger)

    assert trigger.events == []


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_row_past_its_time_in_doubt_is_sent_if_novu_has_it(idempotent: bool) -> None:
    store, trigger = FakeStore(a_notification(1, expired=True, doubt_seconds=5.0)), FakeTrigger()
    judge = doubts(FakeTaken("xnovu.1"), wait_seconds=WAIT, idempotent=idempotent)

    result = await deliver(store, judge, trigger)

    assert result == NotificationProcessingResult(sent=1)
    assert store.recorded == {1: Sent(1, "xnovu.1")}
    assert trigger.events == []


@pytest.mark.parametrize(
    ("seconds", "answers", "pause"),
    [(50.0, True, 70.0), (50.0, False, 70.0), (WAIT, False, ASK_AGAIN_SECONDS), (WAIT, True, None)],
    ids=["may be on the queue", "and cannot be asked", "cannot be asked", "has it not"],
)
async def test_a_row_past_its_time_in_doubt_expires_once_novu_turns_out_not_to_have_it(
    seconds: float, answers: bool, pause: float | None
) -> None:
    notification = a_notification(1, recipients=recipients(250), chunks_sent=1, expired=True, doubt_seconds=seconds)
    store, taken, trigger = FakeStore(notification), FakeTaken("xnovu.1.1", answers=answers), FakeTrigger()

    result = await deliver(store, doubts(taken, wait_seconds=WAIT), trigger)

    assert trigger.events == []
    assert taken.asked == ["xnovu.1.1", "xnovu.1.2"]
    if pause is None:
        [outcome] = store.recorded.values()
        assert isinstance(outcome, Failed)
        assert (outcome.refusal.code, outcome.refusal.details) == (RefusalCode.EXPIRED, {"chunks_sent": 2})
    else:
        assert result == NotificationProcessingResult(in_doubt=1)
        assert store.held == [HeldClaim(1, 2 if answers else 1, put_off_seconds=pause)]


async def test_a_row_in_doubt_whose_template_is_gone_is_sent_if_novu_has_it() -> None:
    store = FakeStore(a_notification(1, workflow=None, doubt_seconds=5.0))

    await deliver(store, doubts(FakeTaken("xnovu.1"), wait_seconds=WAIT))

    assert store.recorded == {1: Sent(1, "xnovu.1")}


async def test_only_the_chunks_that_novu_does_not_have_are_sent_again() -> None:
    store = FakeStore(a_notification(1, recipients=recipients(450), chunks_sent=1, doubt_seconds=WAIT))
    trigger = FakeTrigger()

    result = await deliver(store, doubts(FakeTaken("xnovu.1.1", "xnovu.1.3"), wait_seconds=WAIT), trigger)

    assert result.sent == 1
    assert [event.transaction_id for event in trigger.events] == ["xnovu.1.2", "xnovu.1.4"]


async def test_chunks_that_novu_took_beyond_one_in_doubt_are_not_sent_again() -> None:
    store = FakeStore(a_notification(1, recipients=recipients(250)))
    judge = doubts(wait_seconds=0.0)
    trigger = FakeTrigger(losing("xnovu.1.1"))

    await deliver(store, judge, trigger)
    store.put_off.clear()
    again = FakeTrigger()
    result = await deliver(store, judge, again)

    assert result.sent == 1
    assert [event.transaction_id for event in again.events] == ["xnovu.1.1"]


async def test_an_attempt_that_ended_without_a_word_leaves_its_rows_in_doubt() -> None:
    """The worker died, or the database did not take the outcome."""

    class Forgetful(FakeStore):
        async def record_outcomes(self, enterprise_id: str, **how: Any) -> Mapping[int, Outcome]:
            raise StoreUnavailable("gone")

    store, trigger = Forgetful(a_notification(1)), FakeTrigger()
    judge = doubts(wait_seconds=WAIT)
    with pytest.raises(StoreUnavailable):
        await deliver(store, judge, trigger)

    result = await deliver(store, judge, trigger)

    assert result == NotificationProcessingResult(in_doubt=1)
    assert len(trigger.events) == 1


async def test_rows_of_which_nothing_was_sent_when_an_attempt_ended_are_in_no_doubt() -> None:
    class Unavailable(FakeRenderer):
        async def render(self, requests: Any) -> Any:
            raise ApplicationError("away")

    store = FakeStore(a_notification(1, workflow=DYNAMIC, channels=(Channel.EMAIL,)))
    judge = doubts(wait_seconds=WAIT)
    subject = NotificationDelivery(store, FakeTrigger(), Unavailable(), an_addressing(), judge, claim_lease_seconds=120)
    with pytest.raises(ApplicationError):
        await ActivityEnvironment().run(subject.deliver, NotificationProcessingInput("ent1", [1]))

    assert store.unanswered == set()


async def test_where_novu_heeds_the_key_the_same_call_is_made_again_at_once() -> None:
    store, judge = FakeStore(a_notification(1)), doubts(wait_seconds=WAIT, idempotent=True)
    with pytest.raises(ApplicationError, match="ReadTimeout"):
        await deliver(store, judge, FakeTrigger(losing("xnovu.1")))

    trigger = FakeTrigger()
    result = await deliver(store, judge, trigger, attempt=2)

    assert result == NotificationProcessingResult(sent=1)
    assert [event.idempotency_round for event in trigger.events] == [0], "the same key"
    assert store.held == [HeldClaim(1, in_doubt=True)], "and no mark"


async def test_after_a_definite_no_the_next_call_bears_another_key() -> None:
    store, judge = FakeStore(a_notification(1)), doubts(idempotent=True)
    with pytest.raises(ApplicationError):
        await deliver(store, judge, FakeTrigger(lambda _: TriggerFault("HTTP 500", key_spent=True)))

    trigger = FakeTrigger()
    await deliver(store, judge, trigger, attempt=2)

    assert [event.idempotency_round for event in trigger.events] == [1]


async def test_in_doubt_a_no_to_the_repeat_says_nothing_of_the_first_call_and_its_key_is_kept() -> None:
    store, judge = FakeStore(a_notification(1, doubt_seconds=1.0)), doubts(wait_seconds=WAIT, idempotent=True)
    with pytest.raises(ApplicationError):
        await deliver(store, judge, FakeTrigger(lambda _: TriggerFault("HTTP 429")))

    assert store.held == [HeldClaim(1)]


async def test_a_key_that_tells_nothing_more_is_a_doubt_like_any_where_keys_are_not_heeded() -> None:
    """The row has changed since its answer was lost: Novu refuses the key for another content."""
    store, judge = FakeStore(a_notification(1, doubt_seconds=1.0)), doubts(wait_seconds=WAIT, idempotent=True)

    result = await deliver(store, judge, FakeTrigger(lambda _: TriggerUnknown("HTTP 422", key_spent=True)))

    assert result == NotificationProcessingResult(in_doubt=1)
    assert store.held == [HeldClaim(1, in_doubt=True, refused=True, repeated=True, put_off_seconds=WAIT)]


async def test_a_doubt_older_than_novu_keeps_keys_is_marked_where_keys_are_heeded_too() -> None:
    store, trigger = FakeStore(a_notification(1, doubt_seconds=24 * 3600.0)), FakeTrigger()

    await deliver(store, doubts(wait_seconds=WAIT, idempotent=True), trigger)

    assert [row.repeated for row in store.held] == [True]
    assert len(trigger.events) == 1


async def test_waits_double_and_after_many_repeats_a_person_must_look() -> None:
    rules = DoubtRules(wait_seconds=WAIT)
    assert [rules.wait(repeats) for repeats in (0, 1, 2)] == [WAIT, 2 * WAIT, 4 * WAIT]
    assert rules.wait(10**9) == LONGEST_WAIT_SECONDS
    row = a_notification(1, doubt_seconds=LONGEST_WAIT_SECONDS, doubtful_repeats=MOST_REPEATS)
    store, trigger = FakeStore(row), FakeTrigger()

    await deliver(store, doubts(wait_seconds=WAIT), trigger)

    outcome = store.recorded[1]
    assert isinstance(outcome, Failed)
    assert outcome.refusal.code is RefusalCode.DELIVERY_TIMED_OUT
    assert trigger.events == []


async def test_of_a_fan_out_in_doubt_only_what_an_attempt_may_have_called_is_asked_about() -> None:
    """Of a hundred thousand recipients that would be a thousand questions, for which no rate of Novu's has patience."""
    many = recipients(25_000)
    store = FakeStore(
        a_notification(1, recipients=many, chunks_sent=40, chunks_beyond=frozenset({41}), doubt_seconds=0.0)
    )
    taken = FakeTaken(*(f"xnovu.1.{chunk}" for chunk in range(40, 55)))

    await deliver(store, doubts(taken, wait_seconds=WAIT))

    [left] = store.held
    assert (left.chunks_sent, left.put_off_seconds) == (55, WAIT)
    assert taken.asked == [f"xnovu.1.{chunk}" for chunk in (40, *range(42, 141))]
