"""A batch that several enterprises share: what befalls one of them touches none of the others."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from shared.notification.models import ClaimedBatch
from shared.notification.outcomes import Failed, Outcome, RefusalCode, Sent
from shared.ports import (
    FaultCode,
    HeldClaim,
    PutOff,
    StoreUnavailable,
    TriggerAccepted,
    TriggerEvent,
    TriggerFault,
    TriggerRefused,
    TriggerResult,
)
from shared.temporal.messages import NotificationProcessingInput, NotificationProcessingResult, Portion
from tests.unit.worker.builders import (
    STATIC,
    FakeRenderer,
    FakeStore,
    FakeTrigger,
    a_notification,
    an_addressing,
    doubts,
)
from worker.activities.batch_delivery import BULK_ATTEMPTS
from worker.activities.notification_delivery import GiveUpInput, NotificationDelivery
from worker.activities.shared_fault import fault_of_all
from worker.failures import put_off_among
from worker.joined_ports import JoinedTrigger
from worker.rendering.request import RenderRequest, RenderResult
from worker.turns import UNCOUNTED, Turns

ENTERPRISES = {"acme": 1, "bad": 2, "clay": 3}
"""Each with a row of this id."""


class Stores:
    """Port NotificationClaims: a store for each enterprise, which knows no row of another."""

    def __init__(self) -> None:
        self.of = {enterprise_id: FakeStore(a_notification(row)) for enterprise_id, row in ENTERPRISES.items()}
        self.away: set[str] = set()

    @property
    def recorded(self) -> dict[int, Outcome]:
        return {row: outcome for store in self.of.values() for row, outcome in store.recorded.items()}

    @property
    def sent(self) -> set[int]:
        return {row for row, outcome in self.recorded.items() if isinstance(outcome, Sent)}

    async def claim(
        self,
        enterprise_id: str,
        notification_ids: Sequence[int],
        *,
        claim_owner: str,
        lease_seconds: int,
        uncalled: bool = False,
    ) -> ClaimedBatch:
        if enterprise_id in self.away:
            raise StoreUnavailable("55P03", code="55P03")
        return await self.of[enterprise_id].claim(
            enterprise_id, notification_ids, claim_owner=claim_owner, lease_seconds=lease_seconds, uncalled=uncalled
        )

    async def record_outcomes(
        self, enterprise_id: str, *, claim_owner: str, outcomes: Sequence[Outcome]
    ) -> Mapping[int, Outcome]:
        store = self.of[enterprise_id]
        return await store.record_outcomes(enterprise_id, claim_owner=claim_owner, outcomes=outcomes)

    async def renew_claims(
        self, enterprise_id: str, *, claim_owner: str, chunks_sent: Mapping[int, int], lease_seconds: int
    ) -> frozenset[int]:
        return await self.of[enterprise_id].renew_claims(
            enterprise_id, claim_owner=claim_owner, chunks_sent=chunks_sent, lease_seconds=lease_seconds
        )

    async def hold_claims(
        self, enterprise_id: str, *, claim_owner: str, rows: Sequence[HeldClaim], lease_seconds: int
    ) -> frozenset[int]:
        return await self.of[enterprise_id].hold_claims(
            enterprise_id, claim_owner=claim_owner, rows=rows, lease_seconds=lease_seconds
        )

    async def note_faults(
        self, enterprise_id: str, *, claim_owner: str, notification_ids: Collection[int], code: str
    ) -> Mapping[int, int]:
        return await self.of[enterprise_id].note_faults(
            enterprise_id, claim_owner=claim_owner, notification_ids=notification_ids, code=code
        )


def delivery(
    stores: Stores, trigger: FakeTrigger | None = None, renderer: Any = None, turns: Turns = UNCOUNTED
) -> NotificationDelivery:
    return NotificationDelivery(
        stores,
        JoinedTrigger(trigger or FakeTrigger()),
        renderer or FakeRenderer(),
        an_addressing(),
        doubts(),
        claim_lease_seconds=120,
        turns=turns,
    )


def shared_input() -> NotificationProcessingInput:
    first, *others = [Portion(enterprise_id, [row]) for enterprise_id, row in ENTERPRISES.items()]
    return NotificationProcessingInput(first.enterprise_id, first.notification_ids, others)


async def deliver(subject: NotificationDelivery, **info: Any) -> NotificationProcessingResult:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    result: NotificationProcessingResult = await environment.run(subject.deliver, shared_input())
    return result


async def fails(subject: NotificationDelivery, heartbeats: list[Any] | None = None, **info: Any) -> Exception:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, **info)
    environment.on_heartbeat = lambda *details: heartbeats.append(details) if heartbeats is not None else None
    with pytest.raises((ApplicationError, StoreUnavailable)) as raised:
        await environment.run(subject.deliver, shared_input())
    return raised.value


def of_bad(answer: TriggerResult) -> Callable[[TriggerEvent], TriggerResult]:
    return lambda event: answer if event.enterprise_id == "bad" else TriggerAccepted()


async def test_rows_of_many_go_out_in_one_call_and_each_is_recorded_as_its_enterprise_s() -> None:
    stores, trigger = Stores(), FakeTrigger()

    result = await deliver(delivery(stores, trigger))

    assert result == NotificationProcessingResult(sent=3)
    assert [[event.enterprise_id for event in call] for call in trigger.calls] == [["acme", "bad", "clay"]]
    assert stores.sent == {1, 2, 3}


async def test_a_refusal_is_one_enterprise_s() -> None:
    stores = Stores()

    result = await deliver(delivery(stores, FakeTrigger(of_bad(TriggerRefused("unknown workflow")))))

    assert result == NotificationProcessingResult(sent=2, failed={"2": "novu_refused"})
    assert stores.sent == {1, 3}


async def test_a_row_that_the_database_refuses_is_one_enterprise_s() -> None:
    stores = Stores()
    stores.of["bad"].unclaimable = {2}

    result = await deliver(delivery(stores))

    assert result == NotificationProcessingResult(sent=2, failed={"2": "claim_refused"})


async def test_a_fault_of_one_is_raised_once_the_others_are_recorded_and_only_that_one_comes_again() -> None:
    stores, heartbeats = Stores(), list[Any]()
    fault = await fails(delivery(stores, FakeTrigger(of_bad(TriggerFault("503")))), heartbeats)

    assert isinstance(fault, ApplicationError)
    assert fault.type == "NovuFault"
    assert stores.sent == {1, 3}
    assert stores.of["acme"].held == stores.of["clay"].held == []
    assert heartbeats[-1][1:] == (0, ["bad"], {})

    trigger = FakeTrigger()
    details = [{"sent": 2, "failed": {}}, *heartbeats[-1][1:]]
    result = await deliver(delivery(stores, trigger), attempt=2, heartbeat_details=details)

    assert result.sent == 3
    assert [event.enterprise_id for event in trigger.events] == ["bad"]


async def test_a_database_that_fails_for_one_serves_the_others() -> None:
    stores = Stores()
    stores.away = {"bad"}

    fault = await fails(delivery(stores))

    assert isinstance(fault, StoreUnavailable)
    assert stores.sent == {1, 3}


async def test_faults_of_several_are_all_told_though_one_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    stores = Stores()
    stores.away = {"bad", "clay"}

    await fails(delivery(stores))

    told = [record for record in caplog.records if record.message == "shared_delivery_faulted"]
    assert [record.__dict__["enterprise_ids"] for record in told] == [["bad"], ["clay"]]
    assert all(record.exc_info for record in told)


class PoisonedRenderer(FakeRenderer):
    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        if any(request.enterprise_id == "bad" for request in requests):
            raise RecursionError("ada@example.org")
        return await super().render(requests)


async def test_what_nobody_foresaw_of_one_row_is_noted_of_that_row() -> None:
    stores = Stores()
    stores.of["bad"].rows[2] = a_notification(2, workflow=dataclasses.replace(STATIC, payload_schema="{}"))

    fault = await fails(delivery(stores, renderer=PoisonedRenderer()))

    assert isinstance(fault, ApplicationError)
    assert fault.type == "InternalFault"
    assert stores.sent == {1, 3}
    assert stores.of["bad"].faults == {2: (RefusalCode.INTERNAL_ERROR, 1)}
    assert stores.of["acme"].faults == stores.of["clay"].faults == {}


async def test_an_event_that_novu_chokes_on_is_sent_by_itself_after_repeated_faults() -> None:
    """Where Novu fails a whole request because of one event in it."""
    stores, trigger = Stores(), FakeTrigger()

    async def choke(events: Sequence[TriggerEvent]) -> list[TriggerResult]:
        trigger.calls.append(list(events))
        choked = any(event.enterprise_id == "bad" for event in events)
        return [TriggerFault("500") if choked else TriggerAccepted() for _ in events]

    trigger.trigger = choke  # type: ignore[method-assign]

    for attempt in range(1, BULK_ATTEMPTS + 2):
        assert stores.sent == set()
        await fails(delivery(stores, trigger), attempt=attempt)

    assert stores.sent == {1, 3}
    assert stores.of["bad"].recorded == {}


def closed_to(enterprise_id: str, put_off: PutOff) -> Turns:
    class OneIsPutOff(Turns):
        def enter(self, whose: str, rows: int, *, returning: bool) -> PutOff | None:
            return put_off if whose == enterprise_id else None

    return OneIsPutOff(lambda: None, lambda: None, large_at_once=1)


async def test_one_enterprise_s_turn_at_novu_s_rate_is_waited_for_by_nobody_else() -> None:
    stores, trigger, heartbeats = Stores(), FakeTrigger(), list[Any]()

    fault = await fails(
        delivery(stores, trigger, turns=closed_to("bad", PutOff(30.0, FaultCode.NOVU_RATE, "others' turn"))), heartbeats
    )

    assert isinstance(fault, ApplicationError)
    assert (fault.type, fault.next_retry_delay) == ("NovuRate", timedelta(seconds=30))
    assert stores.sent == {1, 3}
    assert {event.enterprise_id for event in trigger.events} == {"acme", "clay"}
    assert heartbeats[-1][1:3] == (1, ["bad"])


async def test_the_next_attempt_comes_as_soon_as_anybody_asks_and_tells_who_only_waits() -> None:
    stores = Stores()
    turns = closed_to("acme", PutOff(200.0, FaultCode.NOVU_RATE, "others' turn"))

    fault = await fails(delivery(stores, FakeTrigger(of_bad(TriggerFault("503", 7.0))), turns=turns))

    assert isinstance(fault, ApplicationError)
    assert (fault.type, fault.next_retry_delay) == ("NovuFault", timedelta(seconds=7))
    assert put_off_among(fault) == {"acme"}
    assert stores.sent == {3}


def test_who_asks_for_no_pause_is_tried_again_as_if_it_were_alone() -> None:
    faults = {"acme": StoreUnavailable("away"), "bad": ApplicationError("503", next_retry_delay=timedelta(seconds=20))}

    pauses = [getattr(fault_of_all(faults, attempt=attempt), "next_retry_delay") for attempt in (1, 3, 40)]  # noqa: B009

    assert pauses == [timedelta(seconds=1), timedelta(seconds=4), timedelta(seconds=20)]


def test_what_nobody_foresaw_is_raised_without_its_text() -> None:
    faults = {"acme": KeyError("ada@example.com"), "bad": ValueError("ada@example.com")}

    fault = fault_of_all(faults, attempt=1)

    assert str(fault) == "KeyError: KeyError"


async def test_giving_up_is_for_all_that_are_named() -> None:
    stores = Stores()

    result: NotificationProcessingResult = await ActivityEnvironment().run(
        delivery(stores).give_up, GiveUpInput("acme", [1], "NovuFault: 503", [Portion("bad", [2])])
    )

    assert result.failed == {"1": "delivery_timed_out", "2": "delivery_timed_out"}
    assert stores.of["clay"].recorded == {}
    assert isinstance(stores.recorded[2], Failed)


async def test_what_an_earlier_version_left_in_its_heartbeat_is_understood() -> None:
    stores = Stores()

    result = await deliver(delivery(stores), attempt=2, heartbeat_details=[{"sent": 4, "failed": {}}, 1])

    assert result.sent == 7


async def test_what_a_later_version_left_in_its_heartbeat_is_no_reason_to_fail_after_a_roll_back() -> None:
    stores = Stores()
    left = [{"sent": 4, "failed": {}, "of tomorrow": 1}, 1, None, {}, ["of tomorrow"]]

    result = await deliver(delivery(stores), attempt=2, heartbeat_details=left)

    assert result.sent == 7
