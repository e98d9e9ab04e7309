"""A delivery through the measuring ports: what is counted, and what its spans say."""

import dataclasses
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import Channel
from shared.notification.outcomes import Refusal, RefusalCode
from shared.ports import TriggerAccepted, TriggerFault, TriggerRefused
from shared.telemetry.enterprise_names import OTHERS, EnterpriseNames
from shared.temporal.messages import NotificationProcessingInput
from tests.unit.telemetry.conftest import Recorded
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
from worker.activities.notification_delivery import NotificationDelivery
from worker.measured import MeasuredClaims, MeasuredRenderer, MeasuredTrigger


async def deliver(
    store: FakeStore,
    *ids: int,
    trigger: FakeTrigger | None = None,
    renderer: FakeRenderer | None = None,
    enterprise_id: str = "ent1",
    **info: Any,
) -> None:
    subject = NotificationDelivery(
        MeasuredClaims(store),
        MeasuredTrigger(trigger or FakeTrigger()),
        MeasuredRenderer(renderer or FakeRenderer()),
        an_addressing(),
        doubts(),
        claim_lease_seconds=120,
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    await environment.run(subject.deliver, NotificationProcessingInput(enterprise_id, list(ids)))


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is named yet, whatever the process has counted; one is, and one more in trouble."""
    monkeypatch.setattr("worker.measured.names", EnterpriseNames(most=1, most_in_trouble=1))


async def test_outcomes_are_counted_by_enterprise_type_and_channels(recorded: Recorded) -> None:
    store = FakeStore(
        a_notification(1, channels=(Channel.SMS, Channel.EMAIL)),
        a_notification(2, channels=(Channel.EMAIL, Channel.SMS)),
        a_notification(3, recipients=()),
        a_notification(4, workflow=None),
    )

    await deliver(store, 1, 2, 3, 4)

    of = {"xnovu.enterprise.id": "ent1"}
    static = {**of, "xnovu.workflow.type": "STATIC"}
    sent = {**static, "xnovu.outcome": "SENT", "xnovu.channels": "EMAIL,SMS"}
    invalid = {**static, "xnovu.outcome": "FAILED", "xnovu.code": "invalid_recipients", "xnovu.channels": ""}
    unread = {**of, "xnovu.outcome": "FAILED", "xnovu.code": "workflow_not_found"}
    assert recorded.value("xnovu.notifications", sent) == 2
    assert recorded.value("xnovu.notifications", invalid) == 1
    assert recorded.value("xnovu.notifications", unread) == 1
    assert recorded.value("xnovu.delivery.duration") == 1


async def test_who_comes_late_is_counted_with_others_until_something_of_his_fails(recorded: Recorded) -> None:
    def sent(name: str) -> float | None:
        attributes = {"xnovu.enterprise.id": name, "xnovu.outcome": "SENT"}
        return recorded.value(
            "xnovu.notifications", {**attributes, "xnovu.workflow.type": "STATIC", "xnovu.channels": "EMAIL"}
        )

    def good() -> FakeStore:
        return FakeStore(a_notification(1, channels=(Channel.EMAIL,)))

    for enterprise_id in ("first", "second", "third"):
        await deliver(good(), 1, enterprise_id=enterprise_id)
    await deliver(FakeStore(a_notification(1, recipients=())), 1, enterprise_id="third")
    await deliver(good(), 1, enterprise_id="third")
    await deliver(FakeStore(a_notification(1, recipients=())), 1, enterprise_id="second")

    assert [sent(name) for name in ("first", "second", "third", OTHERS)] == [1, None, 1, 2]
    of_fourth = {"xnovu.enterprise.id": OTHERS, "xnovu.outcome": "FAILED", "xnovu.code": "invalid_recipients"}
    kind = {"xnovu.workflow.type": "STATIC", "xnovu.channels": ""}
    assert recorded.value("xnovu.notifications", {**of_fourth, **kind}) == 1


async def test_an_outcome_that_was_not_written_is_not_counted(recorded: Recorded) -> None:
    store = FakeStore(a_notification(1))
    store.lost = {1}

    await deliver(store, 1)

    assert not recorded.value("xnovu.delivery.duration")


async def test_render_refusals_are_counted_by_code(recorded: Recorded) -> None:
    refusal = Refusal(RefusalCode.TEMPLATE_INVALID, "line 1")
    store = FakeStore(*(a_notification(number, workflow=DYNAMIC, channels=(Channel.EMAIL,)) for number in (1, 2)))

    await deliver(store, 1, 2, renderer=FakeRenderer(refusal))

    assert recorded.value("xnovu.render.refusals", {"xnovu.code": "template_invalid"}) == 2
    assert recorded.value("xnovu.render.duration") == 1


async def test_novus_answers_are_counted_by_kind_and_a_later_attempt_is_a_retry(recorded: Recorded) -> None:
    answers = {
        "xnovu.1": TriggerAccepted(),
        "xnovu.2": TriggerRefused("unknown workflow"),
        "xnovu.3": TriggerFault("HTTP 500"),
    }
    trigger = FakeTrigger(lambda event: answers[event.transaction_id])

    with pytest.raises(ApplicationError):
        await deliver(FakeStore(*map(a_notification, (1, 2, 3))), 1, 2, 3, trigger=trigger, attempt=2)

    for kind in ("accepted", "refused", "fault"):
        assert recorded.value("xnovu.novu.events", {"xnovu.result": kind}) == 1
    assert recorded.value("xnovu.delivery.retries") == 1


async def test_claims_that_are_lost_on_the_way_are_counted(recorded: Recorded) -> None:
    store = FakeStore(a_notification(1, recipients=recipients(10_001)))
    store.lost = {1}

    await deliver(store, 1)

    assert recorded.value("xnovu.claims.lost") == 1


async def test_the_steps_of_a_delivery_are_spans_without_anything_personal(recorded: Recorded) -> None:
    store = FakeStore(
        a_notification(
            1, workflow=DYNAMIC, channels=(Channel.EMAIL,), recipients=("zanzibar",), payload={"zanzibar": 1}
        )
    )

    await deliver(store, 1)

    spans = recorded.spans()
    assert spans.keys() >= {"xnovu.claim", "xnovu.render", "xnovu.trigger", "xnovu.record"}
    assert (spans["xnovu.trigger"].attributes or {})["xnovu.event.accepted"] == 1
    assert all("zanzibar" not in span.to_json() for span in spans.values())
