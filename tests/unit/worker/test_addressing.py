"""Addresses go with the trigger, credentials before it; neither loses a notification, neither is written anywhere."""

import asyncio
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import Channel, WorkflowType
from shared.notification.recipient import KnownRecipients, ProviderCredentials, Recipient
from shared.ports import StoreUnavailable, TriggerAccepted, TriggerEvent, TriggerFault, TriggerRefused, TriggerResult
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult
from tests.unit.worker.builders import (
    DYNAMIC,
    STATIC,
    FakeCredentials,
    FakeRecipients,
    FakeRenderer,
    FakeStore,
    FakeTrigger,
    a_notification,
    an_addressing,
    doubts,
    recipients,
)
from worker.activities.addressing import CREDENTIAL_ATTEMPTS, PORTION, Addressing
from worker.activities.batch_delivery import BULK_ATTEMPTS
from worker.activities.notification_delivery import NotificationDelivery
from worker.activities.preparation import wants_credentials

ADA = Recipient("ada", {"email": "ada@example.org"})
FCM = (ProviderCredentials("fcm", {"deviceTokens": ["token-of-ada"]}),)
BOB = Recipient("bob", {}, FCM, "hash-of-bob")


async def deliver(
    store: FakeStore, trigger: FakeTrigger, addressing: Addressing | None = None, **info: Any
) -> NotificationProcessingResult:
    subject = NotificationDelivery(
        store, trigger, FakeRenderer(), addressing or an_addressing(), doubts(), claim_lease_seconds=120
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    result: NotificationProcessingResult = await environment.run(
        subject.deliver, NotificationProcessingInput("ent1", list(store.rows))
    )
    return result


async def test_what_is_known_goes_inline_and_of_others_the_id() -> None:
    store, trigger = FakeStore(a_notification(1, recipients=("ada", "bob", "eve"))), FakeTrigger()
    store.known = KnownRecipients({"ada": ADA, "bob": BOB})

    await deliver(store, trigger)

    assert trigger.events[0].recipients == (ADA, "bob", "eve")


async def test_recipients_that_did_not_come_along_are_asked_for_and_chunks_stay_where_they_were() -> None:
    many = recipients(150)
    store, trigger = FakeStore(a_notification(1, recipients=many, chunks_sent=1)), FakeTrigger()
    store.known = None
    late = Recipient(many[149], {"email": "late@example.org"})
    known = FakeRecipients(late)

    await deliver(store, trigger, an_addressing(known))

    assert known.asked == list(many[100:])
    [event] = trigger.events
    assert event.recipients == (*many[100:149], late)


async def test_credentials_are_given_before_the_trigger_and_noted() -> None:
    store, credentials, known = FakeStore(a_notification(1, recipients=("bob",))), FakeCredentials(), FakeRecipients()
    store.known = KnownRecipients({"bob": BOB})
    given_before: list[list[str]] = []

    def answer(event: TriggerEvent) -> TriggerAccepted:
        given_before.append(list(credentials.given))
        return TriggerAccepted()

    await deliver(store, FakeTrigger(answer), an_addressing(known, credentials))

    assert given_before == [["bob"]]
    assert known.kept == {"bob": ("hash-of-bob", None)}


async def test_a_fault_of_credentials_holds_up_only_the_rows_that_need_them() -> None:
    store = FakeStore(a_notification(1, recipients=("bob",)), a_notification(2, recipients=("ada",)))
    store.known = KnownRecipients({"bob": BOB, "ada": ADA})
    trigger = FakeTrigger()
    credentials = FakeCredentials({"bob": TriggerFault("HTTP 429", 7.0)})

    with pytest.raises(ApplicationError) as raised:
        await deliver(store, trigger, an_addressing(credentials=credentials))

    assert raised.value.type == "NovuFault"
    assert raised.value.next_retry_delay is not None
    assert raised.value.next_retry_delay.total_seconds() == 7
    assert [event.transaction_id for event in trigger.events] == ["xnovu.2"]
    assert set(store.recorded) == {2}
    assert [row.notification_id for row in store.held] == [1]


async def test_after_some_attempts_the_notification_goes_out_with_what_novu_has() -> None:
    store, trigger = FakeStore(a_notification(1, recipients=("bob",))), FakeTrigger()
    store.known = KnownRecipients({"bob": BOB})
    credentials = FakeCredentials({"bob": TriggerFault("HTTP 500")})

    result = await deliver(store, trigger, an_addressing(credentials=credentials), attempt=CREDENTIAL_ATTEMPTS + 1)

    assert result.sent == 1


async def test_a_refusal_of_credentials_is_noted_and_the_notification_goes_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, trigger, known = FakeStore(a_notification(1, recipients=("bob",))), FakeTrigger(), FakeRecipients()
    store.known = KnownRecipients({"bob": BOB})
    credentials = FakeCredentials({"bob": TriggerRefused("HTTP 404")})

    with caplog.at_level(logging.WARNING):
        result = await deliver(store, trigger, an_addressing(known, credentials))

    assert result.sent == 1
    assert known.kept == {"bob": ("hash-of-bob", "HTTP 404")}
    assert "recipient_credentials_refused" in caplog.messages


async def test_in_an_outage_no_more_are_given_and_all_that_is_left_counts_as_faulted() -> None:
    many = {each: Recipient(each, {}, FCM, "hash") for each in recipients(3 * PORTION)}
    credentials = FakeCredentials(dict.fromkeys(many, TriggerFault("ConnectError")))

    kept = await an_addressing(credentials=credentials).keep("ent1", many.values())

    assert kept.faulted == set(many)
    assert len(credentials.given) < 20


@pytest.mark.parametrize(
    ("workflow", "channels", "wanted"),
    [
        (DYNAMIC, (Channel.PUSH,), True),
        (DYNAMIC, (Channel.EMAIL, Channel.CHAT), True),
        (DYNAMIC, (Channel.EMAIL,), False),
        (STATIC, (Channel.IN_APP,), True),
    ],
)
def test_credentials_are_wanted_where_a_channel_needs_them_or_only_novu_knows(
    workflow: Any, channels: tuple[Channel, ...], wanted: bool
) -> None:
    assert wants_credentials(a_notification(1, workflow=workflow, channels=channels), workflow) is wanted
    assert workflow.type in WorkflowType


async def test_what_cannot_be_read_is_logged_by_column_and_count(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeStore(a_notification(1))
    store.known = KnownRecipients({}, {"email": 2}, "42703")

    with caplog.at_level(logging.WARNING):
        result = await deliver(store, FakeTrigger())

    assert result.sent == 1
    told = {record.message: record.__dict__ for record in caplog.records}
    assert told["recipient_unread"]["columns"] == {"email": 2}
    assert told["recipients_unread"]["code"] == "42703"


def test_no_representation_shows_an_address() -> None:
    shown = repr([ADA, BOB, FCM, KnownRecipients({"ada": ADA})]) + repr(FakeTrigger().calls)

    assert "example.org" not in shown
    assert "token-of-ada" not in shown


async def test_of_a_fan_out_only_a_round_s_recipients_are_asked_for_and_given_credentials_at_a_time() -> None:
    many = recipients(12_000)
    last = Recipient(many[11_999], {"email": "last@example.org"}, FCM, "hash-of-last")
    store, known, credentials = FakeStore(a_notification(1, recipients=many)), FakeRecipients(last), FakeCredentials()
    store.known = None
    asked: list[int] = []
    given: list[int] = []

    def answer(_: TriggerEvent) -> TriggerAccepted:
        asked.append(len(known.asked))
        given.append(len(credentials.given))
        return TriggerAccepted()

    trigger = FakeTrigger(answer)
    await deliver(store, trigger, an_addressing(known, credentials))

    assert asked == [10_000] * 100 + [12_000] * 20
    assert given == [0] * 100 + [1] * 20
    assert trigger.events[-1].recipients == (*many[11_900:11_999], last)


async def test_a_database_that_is_away_amid_a_fan_out_leaves_the_row_as_a_fault_does_and_in_no_doubt() -> None:
    many = recipients(12_000)
    store = FakeStore(a_notification(1, recipients=many))
    store.known = None

    class Away(FakeRecipients):
        async def find(self, enterprise_id: str, subscriber_ids: Any) -> KnownRecipients:
            if self.asked:
                raise StoreUnavailable("ConnectError")
            return await super().find(enterprise_id, subscriber_ids)

    trigger = FakeTrigger()
    with pytest.raises(ApplicationError, match="ConnectError"):
        await deliver(store, trigger, an_addressing(Away()))

    assert len(trigger.events) == 100
    [left] = store.held
    assert (left.notification_id, left.chunks_sent, left.answered, left.in_doubt) == (1, 100, True, False)


async def test_credentials_are_given_once_however_many_rounds_name_their_recipient() -> None:
    rows = [a_notification(number, recipients=("bob",)) for number in range(1, 251)]
    store, credentials, trigger = FakeStore(*rows), FakeCredentials(), FakeTrigger()
    store.claims_at_most = 250
    store.known = KnownRecipients({"bob": BOB})

    await deliver(store, trigger, an_addressing(credentials=credentials))

    assert len(trigger.calls) == 3
    assert credentials.given == ["bob"]


class SlowTrigger(FakeTrigger):
    """Novu takes a second for each call."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        await asyncio.sleep(1)
        return await super().trigger(events)


@pytest.mark.parametrize("attempt", [1, BULK_ATTEMPTS + 1])
async def test_while_novu_takes_a_round_the_recipients_of_the_next_are_read(attempt: int) -> None:
    many = recipients(12_000)
    store, known = FakeStore(a_notification(1, recipients=many)), FakeRecipients()
    store.known = None
    asked: list[int] = []

    def answer(_: TriggerEvent) -> TriggerAccepted:
        asked.append(len(known.asked))
        return TriggerAccepted()

    trigger = SlowTrigger(answer)
    await deliver(store, trigger, an_addressing(known), attempt=attempt)

    assert len(trigger.calls) == (2 if attempt == 1 else 120)
    assert asked[0] > 10_000
    assert len(known.asked) == len(many)


async def test_a_row_that_is_lost_meanwhile_leaves_nothing_being_read() -> None:
    store = FakeStore(a_notification(1, recipients=recipients(12_000)))
    store.known, store.lost = None, {1}

    class Slow(FakeRecipients):
        async def find(self, enterprise_id: str, subscriber_ids: Any) -> KnownRecipients:
            await asyncio.sleep(3 if self.asked else 0)
            return await super().find(enterprise_id, subscriber_ids)

    known = Slow()
    await deliver(store, SlowTrigger(), an_addressing(known))
    await asyncio.sleep(10)

    assert len(known.asked) == 10_000
    assert [task.get_name() for task in asyncio.all_tasks() if "next round" in task.get_name()] == []
