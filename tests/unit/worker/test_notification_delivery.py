import asyncio
import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import Channel, ClaimedBatch, Notification, Template
from shared.notification.outcomes import Failed, Refusal, RefusalCode, Sent
from shared.ports import FaultCode, HeldClaim, PutOff, StoreAnswerTooLarge, TriggerAccepted, TriggerEvent, TriggerFault
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from tests.unit.worker.builders import (
    DYNAMIC,
    FakeRenderer,
    FakeStore,
    FakeTrigger,
    a_notification,
    an_addressing,
    doubts,
    recipients,
)
from worker.activities.addressing import Addressing
from worker.activities.doubt import Doubts
from worker.activities.internal_fault import MOST_FAULTS
from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery
from worker.activities.putting_off import LARGE_AT_ONCE
from worker.rendering.request import RenderRequest, RenderResult
from worker.turns import UNCOUNTED, Turns

LEASE_SECONDS = 120


def delivery(
    store: FakeStore,
    trigger: FakeTrigger | None = None,
    renderer: FakeRenderer | None = None,
    addressing: Addressing | None = None,
    turns: Turns = UNCOUNTED,
    judge: Doubts | None = None,
    lease_seconds: int = LEASE_SECONDS,
) -> NotificationDelivery:
    return NotificationDelivery(
        store,
        trigger or FakeTrigger(),
        renderer or FakeRenderer(),
        addressing or an_addressing(),
        judge or doubts(),
        claim_lease_seconds=lease_seconds,
        turns=turns,
    )


async def deliver(subject: NotificationDelivery, *ids: int, **info: Any) -> NotificationProcessingResult:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    result: NotificationProcessingResult = await environment.run(
        subject.deliver, NotificationProcessingInput("ent1", list(ids))
    )
    return result


class Foreign(Exception):
    """Known to nobody."""


def stumbles_on(*suffixes: str) -> Callable[[TriggerEvent], TriggerAccepted]:
    def answer(event: TriggerEvent) -> TriggerAccepted:
        if event.transaction_id.endswith(suffixes):
            raise Foreign("ada@example.org")
        return TriggerAccepted()

    return answer


def faults_on(suffix: str, fault: TriggerFault) -> Callable[[TriggerEvent], TriggerAccepted | TriggerFault]:
    return lambda event: fault if event.transaction_id.endswith(suffix) else TriggerAccepted()


async def test_a_notification_is_claimed_sent_and_recorded() -> None:
    store, trigger = FakeStore(a_notification(42)), FakeTrigger()

    result = await deliver(delivery(store, trigger), 42)

    assert result == NotificationProcessingResult(sent=1)
    assert store.recorded == {42: Sent(42, "xnovu.42")}
    assert [event.transaction_id for event in trigger.events] == ["xnovu.42"]


async def test_what_cannot_be_claimed_is_counted_and_not_sent() -> None:
    store, trigger = FakeStore(a_notification(1)), FakeTrigger()

    result = await deliver(delivery(store, trigger), 1, 2, 3)

    assert result == NotificationProcessingResult(sent=1, not_claimed=2)


async def test_rows_too_heavy_for_one_claim_are_claimed_next() -> None:
    store = FakeStore(*(a_notification(number) for number in range(5)))
    store.claims_at_most = 2

    result = await deliver(delivery(store), *range(5))

    assert result == NotificationProcessingResult(sent=5)


async def test_nothing_claimed_means_no_call_at_all() -> None:
    trigger = FakeTrigger()

    result = await deliver(delivery(FakeStore(), trigger), 7)

    assert result == NotificationProcessingResult(not_claimed=1)
    assert trigger.calls == []


async def test_a_refusal_is_recorded_at_once_and_spares_its_batch_mates() -> None:
    store = FakeStore(a_notification(1, recipients=()), a_notification(2))

    result = await deliver(delivery(store), 1, 2)

    assert result == NotificationProcessingResult(sent=1, failed={"1": "invalid_recipients"})


async def test_a_template_that_cannot_be_rendered_sends_nothing() -> None:
    refusal = Refusal(RefusalCode.TEMPLATE_UNDEFINED_VARIABLE, "undefined", {"variable": "name"})
    store, trigger = FakeStore(a_notification(1, workflow=DYNAMIC, channels=("EMAIL",))), FakeTrigger()

    result = await deliver(delivery(store, trigger, FakeRenderer(refusal)), 1)

    assert result.failed == {"1": "template_undefined_variable"}
    assert store.recorded == {1: Failed(1, refusal)}
    assert trigger.calls == []


async def test_a_row_whose_rendering_is_put_off_stays_ours_and_comes_again_while_the_others_are_sent() -> None:
    email = {"workflow": DYNAMIC, "channels": (Channel.EMAIL,)}
    costly = [a_notification(number, payload={"costly": 3.0 + number}, **email) for number in (1, 2)]
    store = FakeStore(*costly, a_notification(3, **email), a_notification(4))
    store.claims_at_most = 2

    with pytest.raises(ApplicationError) as raised:
        await deliver(delivery(store), 1, 2, 3, 4)

    assert raised.value.type == "RenderingDelayed"
    assert not raised.value.non_retryable
    assert raised.value.next_retry_delay is not None
    assert raised.value.next_retry_delay.total_seconds() == 5
    assert set(store.recorded) == {3, 4}
    assert store.faults == {1: ("rendering_delayed", 1), 2: ("rendering_delayed", 1)}
    assert store.held == [HeldClaim(1), HeldClaim(2)]
    assert store.leases[-1] >= 5 + LEASE_SECONDS


async def test_a_fault_is_raised_for_temporal_to_retry_after_the_others_are_recorded() -> None:
    fault = TriggerFault("429", retry_after_seconds=30)
    store = FakeStore(a_notification(1), a_notification(2))

    with pytest.raises(ApplicationError) as raised:
        await deliver(delivery(store, FakeTrigger(faults_on(".2", fault))), 1, 2)

    assert raised.value.type == "NovuFault"
    assert not raised.value.non_retryable
    assert raised.value.next_retry_delay is not None
    assert raised.value.next_retry_delay.total_seconds() == 30
    assert set(store.recorded) == {1}


async def test_the_claim_is_held_over_the_pause_that_novu_asked_for() -> None:
    store = FakeStore(a_notification(1, recipients=recipients(250)))
    trigger = FakeTrigger(faults_on(".1.1", TriggerFault("429", retry_after_seconds=300)))

    with pytest.raises(ApplicationError):
        await deliver(delivery(store, trigger), 1)

    assert store.held == [HeldClaim(1, chunks_sent=1, chunks_beyond=(2,), refused=True)]
    assert store.leases[-1] >= 300 + LEASE_SECONDS


async def test_after_repeated_faults_in_bulk_events_go_one_by_one() -> None:
    store = FakeStore(*(a_notification(number) for number in range(5)))
    trigger = FakeTrigger(faults_on(".3", TriggerFault("500")))

    with pytest.raises(ApplicationError):
        await deliver(delivery(store, trigger), *range(5), attempt=3)

    assert [len(call) for call in trigger.calls] == [1] * 5
    assert set(store.recorded) == {0, 1, 2, 4}


async def test_the_result_counts_what_earlier_attempts_settled() -> None:
    store = FakeStore(a_notification(2))

    result = await deliver(delivery(store), 1, 2, attempt=2, heartbeat_details=[{"sent": 1, "failed": {}}])

    assert result == NotificationProcessingResult(sent=2)


async def test_giving_up_records_the_cause_on_what_is_still_ours() -> None:
    store = FakeStore()
    store.recorded[1] = Sent(1, "xnovu.1")
    environment = ActivityEnvironment()

    result = await environment.run(delivery(store).give_up, GiveUpInput("ent1", [1, 2], "NovuFault: 503"))

    assert result.failed == {"2": "delivery_timed_out"}
    assert "NovuFault: 503" in str(store.recorded[2])


async def test_the_log_names_the_template_and_the_line_of_a_failure_and_quotes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever is woken by failures sees at once which text to mend."""
    store = FakeStore(a_notification(1, workflow=DYNAMIC, channels=("EMAIL",)))
    details = {"template": "welcome-mail", "line": 3, "variable": "zanzibar.name", "novu": "zanzibar"}
    refusal = Refusal(RefusalCode.TEMPLATE_UNDEFINED_VARIABLE, "zanzibar is undefined", details)

    await deliver(delivery(store, renderer=FakeRenderer(refusal)), 1)

    [record] = [each for each in caplog.records if each.message == "notification_failed"]
    assert (record.__dict__["code"], record.__dict__["template"], record.__dict__["line"]) == (
        *("template_undefined_variable", "welcome-mail", 3),
    )
    assert "zanzibar" not in str(record.__dict__)


async def test_logs_name_ids_and_codes_but_neither_recipients_nor_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = a_notification(1, recipients=("ada@example.com", ""), payload={"secret": "pa55"})

    await deliver(delivery(FakeStore(row)), 1)

    assert "notification_failed" in caplog.text
    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "ada@example.com" not in written
    assert "pa55" not in written


async def test_a_row_over_which_the_delivery_stumbles_is_tried_again_by_itself_and_its_batch_mates_go_out() -> None:
    store = FakeStore(*(a_notification(number) for number in range(1, 6)))
    subject = delivery(store, FakeTrigger(stumbles_on(".3")))

    with pytest.raises(ApplicationError) as raised:
        await deliver(subject, 1, 2, 3, 4, 5)

    assert raised.value.type == "InternalFault"
    assert not raised.value.non_retryable
    assert "ada" not in str(raised.value)
    assert sorted(store.recorded) == [1, 2, 4, 5]
    assert all(isinstance(outcome, Sent) for outcome in store.recorded.values())
    assert store.faults == {3: ("internal_error", 1)}


async def test_a_row_that_stumbles_again_and_again_is_failed_with_a_code_that_quotes_nothing() -> None:
    store = FakeStore(a_notification(3))
    subject = delivery(store, FakeTrigger(stumbles_on("")))

    for _ in range(MOST_FAULTS - 1):
        with pytest.raises(ApplicationError):
            await deliver(subject, 3)
    result = await deliver(subject, 3)

    assert result.failed == {"3": "internal_error"}
    outcome = store.recorded[3]
    assert isinstance(outcome, Failed)
    assert outcome.refusal.details == {"error": "Foreign"}
    assert "ada" not in outcome.refusal.message


async def test_a_claim_that_stumbles_over_one_row_is_repeated_for_each() -> None:
    class Stumbling(FakeStore):
        async def claim(self, enterprise_id: str, notification_ids: Sequence[int], **how: Any) -> ClaimedBatch:
            if 2 in notification_ids:
                raise Foreign
            return await super().claim(enterprise_id, notification_ids, **how)

    store = Stumbling(*(a_notification(number) for number in (1, 2, 3)))

    with pytest.raises(ApplicationError):
        await deliver(delivery(store), 1, 2, 3)

    assert sorted(store.recorded) == [1, 3]


async def test_rows_that_novu_does_not_answer_for_are_noted_as_such() -> None:
    store = FakeStore(a_notification(1))

    with pytest.raises(ApplicationError):
        await deliver(delivery(store, FakeTrigger(lambda event: TriggerFault("502"))), 1)

    assert store.faults == {1: ("novu_fault", 1)}


async def test_a_row_that_cannot_be_read_fails_and_its_batch_mates_are_sent() -> None:
    refusal = Refusal(RefusalCode.ROW_UNREADABLE, "payload nests deeper than 200", {"column": "payload"})
    store = FakeStore(a_notification(1), a_notification(3))
    store.unreadable = [Failed(2, refusal)]

    result = await deliver(delivery(store), 1, 2, 3)

    assert result == NotificationProcessingResult(sent=2, failed={"2": "row_unreadable"})
    assert store.recorded[2] == Failed(2, refusal)


async def test_a_row_of_which_novu_has_taken_every_chunk_is_sent_and_one_with_more_is_unreadable() -> None:
    store = FakeStore(a_notification(1, chunks_sent=1), a_notification(2, chunks_sent=2))
    trigger = FakeTrigger()

    result = await deliver(delivery(store, trigger), 1, 2)

    assert result == NotificationProcessingResult(sent=1, failed={"2": "row_unreadable"})
    assert trigger.events == []


async def test_rows_whose_templates_are_too_many_for_one_answer_are_claimed_by_workflow() -> None:
    missing = Refusal(RefusalCode.TEMPLATE_NOT_FOUND, "not there")
    other = dataclasses.replace(DYNAMIC, key="other")
    store = FakeStore(
        *(a_notification(number, workflow=DYNAMIC, channels=(Channel.EMAIL,)) for number in (1, 2)),
        a_notification(3, workflow=other, channels=(Channel.EMAIL,)),
        templates=[Template(1, "a", Channel.EMAIL, None, "a"), Template(2, "b", Channel.EMAIL, None, "b")],
    )
    store.template_places = 1

    result = await deliver(delivery(store, renderer=FakeRenderer(missing)), 1, 2, 3)

    assert store.claimed == [[1, 2, 3], [1, 2], [3]]
    assert set(result.failed.values()) == {"template_limit_exceeded"}


async def test_a_template_that_is_not_there_is_not_there_if_none_was_withheld() -> None:
    missing = Refusal(RefusalCode.TEMPLATE_NOT_FOUND, "not there")
    store = FakeStore(a_notification(1, workflow=DYNAMIC, channels=(Channel.EMAIL,)))

    result = await deliver(delivery(store, renderer=FakeRenderer(missing)), 1)

    assert result.failed == {"1": "template_not_found"}
    assert store.claimed == [[1]]


class FakeTurns(Turns):
    """Puts off as often as it is told to, and notes who asked."""

    def __init__(self, *put_offs: PutOff) -> None:
        super().__init__(lambda: None, lambda: None, large_at_once=1)
        self._put_offs = list(put_offs)
        self.asked: list[tuple[str, int, bool]] = []

    def enter(self, enterprise_id: str, rows: int, *, returning: bool) -> PutOff | None:
        self.asked.append((enterprise_id, rows, returning))
        return self._put_offs.pop(0) if self._put_offs else None


UNPAID = PutOff(90.5, FaultCode.NOVU_PAYMENT_REQUIRED, "unpaid")
FULL = PutOff(20, FaultCode.NOVU_RATE, "others before")


@pytest.mark.parametrize(
    ("put_off", "kind"), [(UNPAID, "NovuPaymentRequired"), (FULL, "NovuRate")], ids=["payment", "rate"]
)
@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_delivery_that_is_put_off_holds_its_rows_and_sends_nothing(
    put_off: PutOff, kind: str, attempt: int
) -> None:
    store, trigger, turns = FakeStore(a_notification(1), a_notification(2)), FakeTrigger(), FakeTurns(put_off)

    with pytest.raises(ApplicationError) as raised:
        await deliver(delivery(store, trigger, turns=turns), 1, 2, attempt=attempt)

    assert raised.value.type == kind
    assert not raised.value.non_retryable
    assert raised.value.next_retry_delay == timedelta(seconds=put_off.seconds)
    assert turns.asked == [("ent1", 2, attempt > 1)]
    assert trigger.calls == []
    assert store.recorded == {}
    assert store.faults == {1: (put_off.code, 1), 2: (put_off.code, 1)}
    assert store.leases[-1] >= put_off.seconds + LEASE_SECONDS
    assert len(store.claimed) == (1 if attempt == 1 else 0)


@pytest.mark.parametrize(
    ("again", "seconds_since", "writes"),
    [(FULL, 20, 0), (UNPAID, 20, 1), (FULL, LEASE_SECONDS + 20, 1)],
    ids=["held for long enough", "for another reason", "not for long any more"],
)
async def test_a_return_that_comes_to_nothing_writes_only_what_has_changed(
    again: PutOff, seconds_since: float, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = FakeStore(a_notification(1)), [1000.0]
    monkeypatch.setattr("worker.activities.putting_off.time", SimpleNamespace(time=lambda: clock[0]))
    subject = delivery(store, turns=FakeTurns(FULL, again))
    details: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *told: details.append(json.loads(json.dumps(told, default=dataclasses.asdict)))
    with pytest.raises(ApplicationError):
        await environment.run(subject.deliver, NotificationProcessingInput("ent1", [1]))
    before = len(store.leases)
    clock[0] += seconds_since

    with pytest.raises(ApplicationError) as raised:
        await deliver(subject, 1, attempt=2, heartbeat_details=details[-1])

    assert raised.value.next_retry_delay == timedelta(seconds=again.seconds)
    assert len(store.leases) - before == writes
    assert store.faults[1][0] == again.code


async def test_what_is_not_ours_is_not_waited_for() -> None:
    result = await deliver(delivery(FakeStore(), turns=FakeTurns(UNPAID)), 1, 2)

    assert result == NotificationProcessingResult(not_claimed=2)


class SlowStore(FakeStore):
    """Each claim takes until it is let go on."""

    def __init__(self, *rows: Notification) -> None:
        super().__init__(*rows)
        self.goes_on = asyncio.Event()

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        claimed = await super().claim(
            enterprise_id, notification_ids, claim_owner=claim_owner, lease_seconds=lease_seconds, uncalled=uncalled
        )
        await self.goes_on.wait()
        return claimed


async def test_of_many_large_deliveries_that_are_put_off_few_hold_their_rows_at_once_and_a_small_one_passes() -> None:
    large = [list(range(first, first + 50)) for first in range(0, 250, 50)]
    store = SlowStore(*(a_notification(number) for number in range(251)))
    subject = delivery(store, turns=FakeTurns(*[FULL] * 6))

    deliveries = [asyncio.create_task(deliver(subject, *ids)) for ids in [*large, [250]]]
    for _ in range(1_000):  # until everybody has come as far as he can, however long the machine takes for it
        await asyncio.sleep(0)
    first = list(store.claimed)
    store.goes_on.set()
    ends = await asyncio.gather(*deliveries, return_exceptions=True)

    assert first == [*large[:LARGE_AT_ONCE], [250]]
    assert sorted(store.claimed) == [*large, [250]]
    assert [type(end) for end in ends] == [ApplicationError] * 6
    assert store.faults == dict.fromkeys(range(251), (FaultCode.NOVU_RATE, 1))


async def test_being_put_off_is_no_attempt_that_failed() -> None:
    store = FakeStore(*(a_notification(number) for number in range(5)))
    trigger = FakeTrigger()

    result = await deliver(
        delivery(store, trigger), *range(5), attempt=9, heartbeat_details=[{"sent": 0, "failed": {}}, 8]
    )

    assert [len(call) for call in trigger.calls] == [5]
    assert result == NotificationProcessingResult(sent=5)


@pytest.mark.parametrize("code", [FaultCode.NOVU_RATE, FaultCode.NOVU_PAYMENT_REQUIRED])
async def test_once_nothing_is_taken_the_rest_is_not_tried(code: FaultCode) -> None:
    store = FakeStore(*(a_notification(number) for number in range(250)))
    store.claims_at_most = 250
    trigger = FakeTrigger(lambda event: TriggerFault("later", 5, code))
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details[1])

    with pytest.raises(ApplicationError):
        await environment.run(delivery(store, trigger).deliver, NotificationProcessingInput("ent1", list(range(250))))

    assert len(trigger.calls) == 1
    assert store.faults == dict.fromkeys(range(250), (code, 1))
    assert store.recorded == {}
    assert beats[-1] == 1


async def test_rows_that_the_database_refuses_are_told_as_failed_and_their_mates_go_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FakeStore(a_notification(1), a_notification(2), a_notification(3))
    store.unclaimable, store.refusing = {1}, {2}

    with caplog.at_level(logging.WARNING):
        result = await deliver(delivery(store), 1, 2, 3)

    assert result == NotificationProcessingResult(sent=1, failed={"1": "claim_refused", "2": "outcome_refused"})
    told = {(line.__dict__["notification_id"], line.__dict__["sqlstate"]) for line in caplog.records}
    assert told == {(1, "23514"), (2, "23514")}


async def test_rows_that_together_make_too_large_an_answer_are_claimed_one_by_one() -> None:
    class Narrow(FakeStore):
        async def claim(self, enterprise_id: str, notification_ids: Sequence[int], **how: Any) -> ClaimedBatch:
            if len(notification_ids) > 1 or 2 in notification_ids:
                raise StoreAnswerTooLarge("claim_batch: the answer is larger than 16777216 bytes")
            return await super().claim(enterprise_id, notification_ids, **how)

    store = Narrow(a_notification(1), a_notification(2), a_notification(3))

    with pytest.raises(ApplicationError, match="StoreAnswerTooLarge") as raised:
        await deliver(delivery(store), 1, 2, 3)

    assert raised.value.type == "InternalFault"
    assert sorted(store.recorded) == [1, 3]


class SlowRenderer(FakeRenderer):
    """Takes longer than two of a claim's renewals are apart; meanwhile another worker takes one of the rows up."""

    def __init__(self, store: FakeStore, taken: int) -> None:
        super().__init__()
        self._store = store
        self._taken = taken

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        self._store.lost.add(self._taken)
        await asyncio.sleep(2.5)
        return await super().render(requests)


async def test_claims_are_renewed_while_rows_are_rendered_and_what_is_lost_meanwhile_is_not_sent() -> None:
    dynamic = {"workflow": DYNAMIC, "channels": (Channel.EMAIL,)}
    store, trigger = FakeStore(a_notification(1, **dynamic), a_notification(2, **dynamic)), FakeTrigger()
    subject = delivery(store, trigger, SlowRenderer(store, taken=2), lease_seconds=3)

    result = await deliver(subject, 1, 2)

    assert store.renewed == [{1: 0, 2: 0}, {1: 0}]
    assert [event.transaction_id for event in trigger.events] == ["xnovu.1"]
    assert (result.sent, result.not_claimed) == (1, 1)
