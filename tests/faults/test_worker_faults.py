"""Every await of the worker's activities meets a foreign exception in turn: another attempt ends well, rows go out."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import Channel
from shared.notification.outcomes import Failed, RefusalCode, Sent
from shared.notification.recipient import ProviderCredentials, Recipient
from shared.novu.rates.lanes import SMALL
from shared.ports import (
    CronRules,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
    TriggerUnknown,
)
from shared.temporal.messages import NotificationProcessingInput, NotificationRetractionInput, Portion
from tests.faults.await_points import AwaitPoint, await_points
from tests.faults.injector import raising_once_at
from tests.unit.worker import test_joined_ports as joined
from tests.unit.worker import test_notification_delivery as delivery
from tests.unit.worker import test_retraction_cancelling as retraction
from tests.unit.worker import test_rule_firing as firing
from tests.unit.worker import test_scheduled_delivery as scheduled
from tests.unit.worker import test_shared_batches as shared
from tests.unit.worker import test_shared_pass as shared_pass
from tests.unit.worker.builders import (
    DYNAMIC,
    FakeCredentials,
    FakeRecipients,
    FakeRenderer,
    FakeStore,
    FakeTrigger,
    a_notification,
    doubts,
    recipients,
    same,
)
from worker.activities.addressing import Addressing
from worker.activities.batch_delivery import BULK_ATTEMPTS, LARGEST_SMALL
from worker.activities.internal_fault import MOST_FAULTS
from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery
from worker.activities.retraction_cancelling import RetractionCancelling
from worker.activities.rule_firing import RuleFiring
from worker.activities.scheduled_delivery import ScheduledDelivery, SharedSchedule
from worker.delivery_account import AccountedClaims, AccountedTrigger, DeliveryAccount
from worker.measured import MeasuredClaims, MeasuredRenderer, MeasuredTrigger
from worker.rendering.request import RenderDelayed, RenderRequest, RenderResult

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")

ATTEMPTS = MOST_FAULTS + 4

BOB = Recipient("bob", {"email": "bob@example.org"}, (ProviderCredentials("fcm", {"deviceTokens": ["t"]}),), "hash")


async def attempted(activity: Callable[..., Awaitable[Any]], argument: Any) -> Any:
    """As Temporal runs it: again after each failure, all of which say what failed."""
    for attempt in range(1, ATTEMPTS + 1):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        try:
            return await environment.run(activity, argument)
        except Exception:  # noqa: BLE001, S112 - Temporal takes any
            continue
    raise AssertionError("no attempt ended well")


class PutsOff(FakeRenderer):
    """The rendering of anything is put off at first, in more attempts than end in another fault."""

    put_off = 0

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        if any("guilty" in request.payload for request in requests):
            raise KeyError("guilty")
        self.put_off += 1
        if self.put_off <= 3:
            return [RenderDelayed(0.001) for _ in requests]
        return await super().render(requests)


async def deliver() -> None:
    """A batch of which a part is claimed at a time. Of its rows one has many chunks, one meets a fault of Novu's, and
    over one the delivery stumbles for ever.
    """
    store = FakeStore(
        a_notification(1),
        a_notification(2, workflow=DYNAMIC, channels=(Channel.EMAIL,)),
        a_notification(3, recipients=recipients(10_150)),
        a_notification(5, recipients=("bob",)),
        a_notification(6, workflow=DYNAMIC, channels=(Channel.EMAIL,), payload={"guilty": True}),
        a_notification(7, doubt_seconds=1.0),
    )
    store.claims_at_most = 2
    store.known = None
    account = DeliveryAccount()
    faults = [TriggerFault("502")]

    def answer(event: TriggerEvent) -> TriggerResult:
        return faults.pop() if faults and event.transaction_id == "xnovu.5" else TriggerAccepted()

    trigger = FakeTrigger(answer)
    subject = NotificationDelivery(
        MeasuredClaims(AccountedClaims(store, account)),
        MeasuredTrigger(AccountedTrigger(trigger, account)),
        MeasuredRenderer(PutsOff()),
        Addressing(FakeRecipients(BOB), same(FakeCredentials())),
        doubts(),
        claim_lease_seconds=120,
    )

    await attempted(subject.deliver, NotificationProcessingInput("ent1", list(store.rows)))
    await attempted(subject.give_up, GiveUpInput("ent1", [4], "cause"))

    guilty = store.recorded.pop(6)
    assert isinstance(guilty, Failed)
    assert guilty.refusal.code is RefusalCode.INTERNAL_ERROR
    assert [isinstance(store.recorded[key], Sent) for key in (1, 2, 3, 5, 7)] == [True] * 5
    assert {event.transaction_id for event in trigger.events} >= {"xnovu.1", "xnovu.2", "xnovu.3.101"}
    await deliver_in_doubt()


class Slow(FakeTrigger):
    """Its answers take longer than a claim may go unrenewed."""

    async def trigger(self, events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        await asyncio.sleep(0.001)
        return await super().trigger(events)


class AwayAtFirst(FakeRenderer):
    """A fault that is foreseen."""

    asked = False

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        if not self.asked:
            self.asked = True
            raise ApplicationError("away")
        return await super().render(requests)


async def deliver_in_doubt() -> None:
    """Of a row nobody knows whether Novu has it, another's answer is lost, and of a third one chunk is refused."""
    store = FakeStore(
        a_notification(1, doubt_seconds=1.0),
        a_notification(2),
        a_notification(3, recipients=recipients(250)),
        a_notification(4, workflow=DYNAMIC, channels=(Channel.EMAIL,)),
    )
    answers = {"xnovu.2": TriggerUnknown("ReadTimeout"), "xnovu.3": TriggerRefused("no")}
    account = DeliveryAccount()
    subject = NotificationDelivery(
        MeasuredClaims(AccountedClaims(store, account)),
        MeasuredTrigger(
            AccountedTrigger(Slow(lambda event: answers.get(event.transaction_id, TriggerAccepted())), account)
        ),
        MeasuredRenderer(AwayAtFirst()),
        Addressing(FakeRecipients(), same(FakeCredentials())),
        doubts(wait_seconds=120.0),
        claim_lease_seconds=0,
    )

    await attempted(subject.deliver, NotificationProcessingInput("ent1", list(store.rows)))

    assert store.put_off.keys() | store.recorded.keys() == {1, 2, 3, 4}
    assert store.put_off.keys() >= {1, 2}


async def be_put_off() -> None:
    """A delivery that may not begin, as often as it asks twice; then it may."""
    store = FakeStore(a_notification(1), a_notification(2))
    subject = NotificationDelivery(
        store,
        FakeTrigger(),
        FakeRenderer(),
        Addressing(FakeRecipients(), same(FakeCredentials())),
        doubts(),
        claim_lease_seconds=120,
        turns=delivery.FakeTurns(delivery.FULL, delivery.FULL, delivery.FULL),
    )

    await attempted(subject.deliver, NotificationProcessingInput("ent1", [1, 2]))

    assert [isinstance(store.recorded[key], Sent) for key in (1, 2)] == [True] * 2


async def take_turns() -> None:
    """A delivery of many rows, and one to many people, while small ones are about."""
    ids = list(range(1, SMALL + 2))
    crowd = a_notification(200, recipients=recipients(LARGEST_SMALL + 1))
    store = FakeStore(*map(a_notification, [*ids, 100]), crowd)
    subject = delivery.delivery(store)

    with mock.patch("worker.activities.large_deliveries.BEGINNING_SECONDS", 0.0), subject._large._noted():
        await attempted(subject.deliver, NotificationProcessingInput("ent2", [100]))
    await attempted(subject.deliver, NotificationProcessingInput("ent1", ids))
    await attempted(subject.deliver, NotificationProcessingInput("ent1", [200]))

    assert {type(outcome) for outcome in store.recorded.values()} == {Sent}
    assert store.recorded.keys() == {*ids, 100, 200}


async def share() -> None:
    """Of three enterprises' batch one's row meets faults until nothing is shared; and what they ask of the database."""
    stores, faults = shared.Stores(), [TriggerFault("502")] * BULK_ATTEMPTS

    def answer(event: TriggerEvent) -> TriggerResult:
        return faults.pop() if faults and event.enterprise_id == "bad" else TriggerAccepted()

    subject = shared.delivery(stores, FakeTrigger(answer))
    await attempted(subject.deliver, shared.shared_input())
    await attempted(subject.give_up, GiveUpInput("acme", [1], "cause", [Portion("bad", [2])]))
    assert stores.sent == {1, 2, 3}

    async def ask(_: None) -> None:
        database = joined.FakeDatabase()
        for enterprises in (("acme", "bad", "clay"), ("acme",)):
            answers, failures = await joined.ask_all(database, *enterprises)
            for failure in failures.values():
                raise failure
            assert answers == {whose: f"claim_batch of {whose}" for whose in enterprises}

    await attempted(ask, None)


async def cancel() -> None:
    store, novu = retraction.FakeStore(retraction.retracted(1)), retraction.FakeNovu("xnovu.1")
    await attempted(RetractionCancelling(store, same(novu)).cancel_retracted, NotificationRetractionInput("ent1", [1]))
    assert list(store.cancellations) == [1]


class Clocked(firing.FakeStore):
    """Its clock is a moment before noon at first."""

    async def cron_rules(self, enterprise_id: str) -> CronRules:
        rules = await super().cron_rules(enterprise_id)
        return replace(rules, now=rules.now - timedelta(milliseconds=10)) if self.looks == 0 else rules


async def fire() -> None:
    """Others get their turn after each rule, however little it took to decide."""
    store = Clocked(firing.rule(1, "0 12 * * *"))
    with mock.patch("worker.activities.rule_firing.TURN_SECONDS", -1.0):
        await attempted(RuleFiring(store).fire_due_rules, "ent1")
    assert [each.rule_id for each in store.firings][-1] == 1
    work = shared_pass.FakeWork(*[["ent1", "ent2"]] * ATTEMPTS)
    await attempted(RuleFiring(shared_pass.Rules(), work).fire_due_rules, "//3")
    held = shared_pass.FakeWork(*[["ent1", "ent2"]] * ATTEMPTS)
    with mock.patch("worker.activities.rule_firing.CHANGED_MEANWHILE_PAUSE_SECONDS", 0.0):
        await attempted(RuleFiring(shared_pass.Rules(cron="30 12 * * *"), held).fire_due_rules, "//3")


async def start_scheduled() -> None:
    store, starter = scheduled.FakeStore(scheduled.due(1, 2, next_in=0.01), scheduled.due(3)), scheduled.FakeStarter()
    await attempted(ScheduledDelivery(store, starter).start_due, "ent1")
    assert {number for batch in starter.batches for number in batch} >= {3}
    together = shared_pass.FakeSharedStarter()
    schedule = SharedSchedule(shared_pass.FakeWork(*[["ent1", "ent2"]] * ATTEMPTS), together)
    subject = ScheduledDelivery(shared_pass.Rows(ent1=1, ent2=1), starter, schedule)
    for _ in range(2):  # one that stumbles is seen to in the next pass
        await attempted(subject.start_due, "//3")
    assert {name for batch in together.batches for name in batch} >= {"ent2"}


SCENES: Mapping[str, tuple[Callable[[], Awaitable[None]], Collection[str]]] = {
    "deliver": (
        deliver,
        (
            "worker.activities.addressing",
            "worker.activities.batch_delivery",
            "worker.activities.batch_preparation",
            "worker.activities.doubt",
            "worker.activities.kept_claims",
            "worker.activities.notification_delivery",
            "worker.activities.novu_fan_out",
            "worker.activities.owned_claims",
            "worker.activities.portion_delivery",
            "worker.activities.unsettled_rows",
            "worker.delivery_account",
            "worker.measured",
        ),
    ),
    "take turns": (take_turns, ("worker.activities.large_deliveries",)),
    "put off": (be_put_off, ("worker.activities.putting_off",)),
    "share": (share, ("worker.meeting", "worker.joined_ports")),
    "cancel": (cancel, ("worker.activities.retraction_cancelling",)),
    "fire": (fire, ("worker.activities.rule_firing",)),
    "scheduled": (start_scheduled, ("worker.activities.scheduled_delivery", "worker.activities.shared_pass")),
}
CASES = [(play, point) for play, modules in SCENES.values() for point in await_points(*modules)]
POINTS = [point for _, point in CASES]


@pytest.mark.parametrize(("play", "point"), CASES, ids=lambda it: str(it) if isinstance(it, AwaitPoint) else "")
async def test_an_await_of_an_activity_that_fails_costs_an_attempt(
    play: Callable[[], Awaitable[None]], point: AwaitPoint
) -> None:
    with raising_once_at(point) as injection:
        await play()

    assert injection.has_fired or injection.was_left, "the scene does not come here"
