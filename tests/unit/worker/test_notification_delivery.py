import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.outcomes import Failed, Refusal, RefusalCode, Sent
from shared.ports import TriggerAccepted, TriggerEvent, TriggerFault
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from tests.unit.worker.builders import DYNAMIC, FakeRenderer, FakeStore, FakeTrigger, a_notification, recipients
from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery

LEASE_SECONDS = 120


def delivery(
    store: FakeStore, trigger: FakeTrigger | None = None, renderer: FakeRenderer | None = None
) -> NotificationDelivery:
    return NotificationDelivery(
        store, trigger or FakeTrigger(), renderer or FakeRenderer(), claim_lease_seconds=LEASE_SECONDS
    )


async def deliver(subject: NotificationDelivery, *ids: int, **info: Any) -> NotificationProcessingResult:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    result: NotificationProcessingResult = await environment.run(
        subject.deliver, NotificationProcessingInput("ent1", list(ids))
    )
    return result


def faults_on(suffix: str, fault: TriggerFault) -> Callable[[TriggerEvent], TriggerAccepted | TriggerFault]:
    return lambda event: fault if event.transaction_id.endswith(suffix) else TriggerAccepted()


async def test_a_notification_is_claimed_sent_and_recorded() -> None:
    store, trigger = FakeStore(a_notification(42)), FakeTrigger()

    result = await deliver(delivery(store, trigger), 42)

    assert result == NotificationProcessingResult(sent=1)
    assert store.recorded == {42: Sent(42, "xnovu.ent1.42")}
    assert [event.transaction_id for event in trigger.events] == ["xnovu.ent1.42"]


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
    trigger = FakeTrigger(faults_on("1.1.1", TriggerFault("429", retry_after_seconds=300)))

    with pytest.raises(ApplicationError):
        await deliver(delivery(store, trigger), 1)

    assert store.renewed == [{1: 1}]
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
    store.recorded[1] = Sent(1, "xnovu.ent1.1")
    environment = ActivityEnvironment()

    result = await environment.run(delivery(store).give_up, GiveUpInput("ent1", [1, 2], "NovuFault: 503"))

    assert result.failed == {"2": "delivery_timed_out"}
    assert "NovuFault: 503" in str(store.recorded[2])


async def test_logs_name_ids_and_codes_but_neither_recipients_nor_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row = a_notification(1, recipients=("ada@example.com", ""), payload={"secret": "pa55"})

    await deliver(delivery(FakeStore(row)), 1)

    assert "notification_failed" in caplog.text
    written = " ".join(str(record.__dict__) for record in caplog.records)
    assert "ada@example.com" not in written
    assert "pa55" not in written
