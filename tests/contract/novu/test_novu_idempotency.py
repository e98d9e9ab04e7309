"""The adapter where answers are lost: its keys, what Novu says to them, and what it says of what it has taken."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from shared.novu import NovuTrigger, open_trigger
from shared.novu.idempotency import LONGEST_KEY, IdempotencyKeys
from shared.ports import TriggerAccepted, TriggerEvent, TriggerFault, TriggerUnknown
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess

ACCEPTED = TriggerAccepted()


def event(transaction_id: str = "t", idempotency_round: int = 0, **payload: str) -> TriggerEvent:
    return TriggerEvent(
        novu_workflow_key="welcome",
        recipients=("ada",),
        payload=payload,
        overrides={},
        transaction_id=transaction_id,
        idempotency_round=idempotency_round,
    )


@pytest.fixture
async def singly(sink: SinkProcess) -> AsyncIterator[NovuTrigger]:
    """The adapter as it is where Novu heeds keys, which it does from now on."""
    sink.settings(idempotency=True)
    async with open_trigger(sink.url, SECRET_KEY, singly=True) as trigger:
        yield trigger


async def test_no_bulk_is_sent_where_keys_are_heeded(singly: NovuTrigger, sink: SinkProcess) -> None:
    assert await singly.trigger([event(f"t{number}") for number in range(5)]) == [ACCEPTED] * 5
    assert sink.paths() == ["trigger"] * 5


async def test_a_lost_answer_is_had_by_asking_again_and_nobody_gets_two(singly: NovuTrigger, sink: SinkProcess) -> None:
    sink.settings(worker={"paused": True})
    sink.fail({"kind": "reset_connection"})

    first = await singly.trigger([event()])
    again = await singly.trigger([event()])

    assert isinstance(first[0], TriggerUnknown)
    assert again == [ACCEPTED]
    sink.settings(worker={"paused": False})
    assert sink.summary()["delivered"] == 1
    assert sink.summary()["duplicates"] == 0, "Novu's API has answered the second call by itself"


async def test_a_call_under_way_is_asked_for_again_when_novu_says(singly: NovuTrigger, sink: SinkProcess) -> None:
    sink.settings(answers={"delay_seconds": [0.5, 0.5]})

    answers = await singly.trigger([event(), event()])

    assert sorted(answers, key=str) == [ACCEPTED, TriggerUnknown("HTTP 409", 1.0)]


async def test_a_fault_is_answered_again_under_its_key_and_the_next_round_has_another(
    singly: NovuTrigger, sink: SinkProcess
) -> None:
    sink.fail({"kind": "server_error"})
    spent = TriggerFault("HTTP 500", key_spent=True)

    answers = [await singly.trigger([event(idempotency_round=each)]) for each in (0, 0, 1)]

    assert answers == [[spent], [spent], [ACCEPTED]]


async def test_a_key_used_for_another_content_tells_nothing_and_is_spent(
    singly: NovuTrigger, sink: SinkProcess
) -> None:
    await singly.trigger([event(name="Ada")])

    [answer] = await singly.trigger([event(name="Bob")])

    assert isinstance(answer, TriggerUnknown)
    assert answer.key_spent


async def test_a_bulk_has_the_same_key_for_the_same_bytes_only(sink: SinkProcess, trigger: NovuTrigger) -> None:
    sink.settings(idempotency=True)
    sent = [event(f"t{number}") for number in range(3)]

    for events in (sent, sent, [replace(each, idempotency_round=1) for each in sent]):
        assert await trigger.trigger(events) == [ACCEPTED] * 3

    assert len(sink.calls()) == 6, "Novu has answered the second call by itself"


async def test_novu_tells_what_its_worker_has_taken_up(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.settings(worker={"paused": True})
    await trigger.trigger([event("mine")])

    before = await trigger.was_taken("mine")
    sink.settings(worker={"paused": False})
    sink.truth()
    after = [await trigger.was_taken(each) for each in ("mine", "min", "another")]

    assert before is False
    assert after == [True, False, False]


@pytest.mark.parametrize(
    ("status", "says"), [(500, None), (502, None), (429, None), (401, False), (404, False), (200, False)]
)
async def test_a_novu_that_cannot_be_asked_now_is_told_from_one_that_never_tells(
    trigger: NovuTrigger, sink: SinkProcess, status: int, says: bool | None
) -> None:
    sink.fail({"kind": "unreadable_answer", "status": status, "path": "/v1/notifications"})

    assert await trigger.was_taken("t") is says


async def test_a_novu_that_is_away_cannot_be_asked(unused_tcp_port: int) -> None:
    async with open_trigger(f"http://127.0.0.1:{unused_tcp_port}", SECRET_KEY) as trigger:
        assert await trigger.was_taken("t") is None


def test_a_key_is_one_environment_s_one_call_s_and_never_too_long() -> None:
    ours, theirs = IdempotencyKeys("secret"), IdempotencyKeys("another")
    long = event("t" * 10_000)

    keys = {
        ours.of_event(event()),
        ours.of_event(event("u")),
        ours.of_event(event(idempotency_round=1)),
        ours.of_event(long),
        theirs.of_event(event()),
        ours.of_bulk([event()], b"{}"),
        ours.of_bulk([event(idempotency_round=1)], b"{}"),
        ours.of_bulk([event()], b"{ }"),
    }

    assert len(keys) == 8
    assert max(map(len, keys)) <= LONGEST_KEY
    assert not any("secret" in key for key in keys)
    assert ours.of_event(event()) == IdempotencyKeys("secret").of_event(event(name="another content"))


async def test_every_call_bears_a_key() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(502)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://novu") as client:
        trigger = NovuTrigger(client, IdempotencyKeys(SECRET_KEY))
        await trigger.trigger([event()])
        await trigger.trigger([event()] * 3)

    assert [request.url.path for request in sent] == ["/v1/events/trigger", "/v1/events/trigger/bulk"]
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 2


async def test_waiting_for_a_connection_of_ones_own_is_no_fault_of_novus(sink: SinkProcess) -> None:
    sink.settings(answers={"delay_seconds": [0.3, 0.3]})
    async with open_trigger(sink.url, SECRET_KEY, singly=True, timeout_seconds=1) as trigger:
        deliveries = [[event(f"d{delivery}.{number}") for number in range(8)] for delivery in range(30)]
        answers = await asyncio.gather(*(trigger.trigger(events) for events in deliveries))

    assert answers == [[ACCEPTED] * 8] * 30
