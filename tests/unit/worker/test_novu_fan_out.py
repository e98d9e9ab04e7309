import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count

from shared.notification.outcomes import Failed, RefusalCode, Sent
from shared.notification.recipients import ERASED
from shared.ports import (
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)
from tests.unit.worker.builders import STATIC, FakeTrigger, a_notification, recipients
from worker.activities.novu_fan_out import (
    GIVES_WAY,
    GIVES_WAY_AFTER_SECONDS,
    FanOutResult,
    PendingNotification,
    fan_out,
)
from worker.activities.novu_fault import novu_fault
from worker.activities.preparation import trigger_events
from worker.activity_options import DELIVERY
from worker.failures import is_put_off


def pending(notification_id: int, recipient_count: int = 1) -> PendingNotification:
    notification = a_notification(notification_id, recipients=recipients(recipient_count))
    events = trigger_events(notification, STATIC, {})
    return PendingNotification(notification_id, notification.transaction_base, 0, deque(events))


async def send(
    trigger: FakeTrigger,
    *notifications: PendingNotification,
    lost: frozenset[int] = frozenset(),
    one_by_one: bool = False,
    seconds_between_rounds: float = 0.0,
) -> tuple[FanOutResult, list[dict[int, int]]]:
    renewals: list[dict[int, int]] = []

    async def renew(chunks_sent: Mapping[int, int]) -> frozenset[int]:
        renewals.append(dict(chunks_sent))
        return frozenset(chunks_sent) - lost

    clock = count(step=seconds_between_rounds)
    result = await fan_out(
        notifications,
        trigger,
        renew,
        renew_every_seconds=40.0,
        one_by_one=one_by_one,
        clock=lambda: next(clock),
    )
    return result, renewals


async def test_a_full_batch_is_one_call_and_needs_no_renewal() -> None:
    trigger = FakeTrigger()

    result, renewals = await send(trigger, *(pending(number) for number in range(100)))

    assert len(trigger.calls) == 1
    assert renewals == []
    assert result.outcomes == [Sent(number, f"xnovu.{number}") for number in range(100)]


async def test_a_batch_of_several_calls_needs_no_renewal_while_it_is_quick() -> None:
    trigger = FakeTrigger()

    result, renewals = await send(trigger, *(pending(number) for number in range(250)), seconds_between_rounds=1.0)

    assert [len(call) for call in trigger.calls] == [100, 100, 50]
    assert renewals == []
    assert len(result.outcomes) == 250


async def test_claims_are_renewed_before_their_lease_ends_when_novu_is_slow() -> None:
    _, renewals = await send(FakeTrigger(), *(pending(number) for number in range(250)), seconds_between_rounds=50.0)

    assert [len(renewal) for renewal in renewals] == [150, 50]


async def test_every_recipient_chunk_has_its_own_transaction_id() -> None:
    trigger = FakeTrigger()

    result, _ = await send(trigger, pending(42, recipient_count=250))

    assert [event.transaction_id for event in trigger.events] == ["xnovu.42", "xnovu.42.1", "xnovu.42.2"]
    assert [len(event.recipients) for event in trigger.events] == [100, 100, 50]
    assert result.outcomes == [Sent(42, "xnovu.42")]


async def test_a_long_fan_out_renews_its_claim_and_stores_its_progress_between_rounds() -> None:
    result, renewals = await send(FakeTrigger(), pending(42, recipient_count=25_000))

    assert renewals == [{42: 100}, {42: 200}]
    assert result.outcomes == [Sent(42, "xnovu.42")]


async def test_a_notification_that_is_no_longer_ours_is_not_sent_further() -> None:
    trigger = FakeTrigger()

    result, _ = await send(trigger, pending(42, recipient_count=25_000), lost=frozenset({42}))

    assert len(trigger.calls) == 1
    assert result.outcomes == []
    assert result.faulted == {}


async def test_one_refused_event_does_not_fail_its_batch_mates() -> None:
    trigger = FakeTrigger(
        lambda event: TriggerRefused("trigger_not_active") if event.transaction_id.endswith(".2") else TriggerAccepted()
    )

    result, _ = await send(trigger, pending(1), pending(2), pending(3))

    assert [type(outcome) for outcome in result.outcomes] == [Sent, Failed, Sent]
    refused = result.outcomes[1]
    assert isinstance(refused, Failed)
    assert refused.refusal.code is RefusalCode.NOVU_REFUSED
    assert refused.refusal.details["novu"] == "trigger_not_active"


async def test_an_event_that_novu_would_not_take_is_refused_under_its_own_code() -> None:
    trigger = FakeTrigger(lambda _: TriggerRefused("payload too large", RefusalCode.PAYLOAD_TOO_LARGE))

    result, _ = await send(trigger, pending(1))

    [refused] = result.outcomes
    assert isinstance(refused, Failed)
    assert refused.refusal.code is RefusalCode.PAYLOAD_TOO_LARGE
    assert refused.refusal.details == {"chunks_sent": 0}


async def test_a_fault_leaves_its_notification_unsettled_with_the_chunks_that_went_before() -> None:
    fault = TriggerFault("429", retry_after_seconds=7)
    trigger = FakeTrigger(lambda event: fault if event.transaction_id == "xnovu.1.1" else TriggerAccepted())

    result, _ = await send(trigger, pending(1, recipient_count=250), pending(2))

    assert result.outcomes == [Sent(2, "xnovu.2")]
    assert {key: each.chunks_sent for key, each in result.faulted.items()} == {1: 1}
    assert result.fault == fault


async def test_what_novu_took_beyond_a_chunk_that_it_did_not_is_known() -> None:
    fault = TriggerFault("429")
    trigger = FakeTrigger(lambda event: fault if event.transaction_id == "xnovu.1.1" else TriggerAccepted())

    result, _ = await send(trigger, pending(1, recipient_count=450))

    [left] = result.faulted.values()
    assert (left.chunks_sent, left.chunks_beyond) == (1, {2, 3, 4})


async def test_a_lost_answer_is_a_doubt_even_if_another_chunk_was_refused() -> None:
    answers = {"xnovu.1": TriggerUnknown("ReadTimeout"), "xnovu.1.1": TriggerRefused("trigger_not_active")}
    trigger = FakeTrigger(lambda event: answers.get(event.transaction_id, TriggerAccepted()))

    result, _ = await send(trigger, pending(1, recipient_count=250), pending(2))

    assert result.outcomes == [Sent(2, "xnovu.2")]
    assert list(result.doubtful) == [1]
    assert result.doubtful[1].chunks_beyond == {2}
    assert result.doubt == TriggerUnknown("ReadTimeout")


async def test_claims_are_renewed_while_an_answer_is_awaited() -> None:
    class Slow(FakeTrigger):
        async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
            await asyncio.sleep(0.05)
            return await super().trigger(events)

    renewals: list[dict[int, int]] = []

    async def renew(chunks_sent: Mapping[int, int]) -> frozenset[int]:
        renewals.append(dict(chunks_sent))
        return frozenset(chunks_sent)

    result = await fan_out([pending(1), pending(2)], Slow(), renew, renew_every_seconds=0.01)

    assert len(result.outcomes) == 2
    assert renewals
    assert renewals[0] == {1: 0, 2: 0}


async def test_an_outage_is_recognised_after_three_calls_and_everything_left_is_kept_for_later() -> None:
    trigger = FakeTrigger(lambda event: TriggerFault("503"))

    result, _ = await send(trigger, *(pending(number) for number in range(10)), one_by_one=True)

    assert len(trigger.calls) == 3
    assert set(result.faulted) == set(range(10))


async def test_one_by_one_an_event_that_novu_chokes_on_stops_only_itself() -> None:
    def answer(event: TriggerEvent) -> TriggerAccepted | TriggerFault:
        return TriggerFault("500") if event.transaction_id == "xnovu.3" else TriggerAccepted()

    result, _ = await send(FakeTrigger(answer), *(pending(number) for number in range(10)), one_by_one=True)

    assert list(result.faulted) == [3]
    assert len(result.outcomes) == 9


async def test_progress_is_stored_beyond_a_chunk_of_which_everybody_was_erased() -> None:
    """Or a worker that died would leave all that came after it to be sent again."""
    erased = tuple(f"{ERASED}{place:012}" for place in range(100))
    people = (*recipients(100), *erased, *recipients(25_100)[100:])
    events = trigger_events(a_notification(42, recipients=people), STATIC, {})

    result, renewals = await send(FakeTrigger(), PendingNotification(42, "xnovu.42", 0, deque(events)))

    assert renewals == [{42: 101}, {42: 201}]
    assert result.outcomes == [Sent(42, "xnovu.42")]


async def test_a_fan_out_gives_way_before_temporal_takes_it_for_lost_and_goes_on_where_it_ended() -> None:
    trigger = FakeTrigger()
    long = GIVES_WAY_AFTER_SECONDS / 2

    result, _ = await send(trigger, pending(42, recipient_count=50_000), seconds_between_rounds=long)

    assert result.fault == GIVES_WAY
    assert is_put_off(novu_fault(result.fault))
    assert {key: each.chunks_sent for key, each in result.faulted.items()} == {42: len(trigger.events)}
    assert 0 < len(trigger.events) < 500
    assert DELIVERY["start_to_close_timeout"].total_seconds() / 2 > GIVES_WAY_AFTER_SECONDS
