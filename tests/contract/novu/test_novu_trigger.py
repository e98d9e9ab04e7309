"""The adapter on the sink, over real HTTP: which calls it makes, and what it makes of each answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from shared.notification.outcomes import RefusalCode
from shared.novu import NovuTrigger, open_trigger
from shared.ports import CancelFailed, FaultCode, TriggerAccepted, TriggerFault, TriggerRefused, TriggerUnknown
from tests.contract.novu.events import event, events
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess

ACCEPTED = TriggerAccepted()


async def test_a_trigger_opened_for_an_address_and_a_key_reaches_novu(sink: SinkProcess) -> None:
    async with open_trigger(sink.url, SECRET_KEY) as trigger:
        assert await trigger.trigger([event()]) == [ACCEPTED]


async def test_no_events_make_no_call(trigger: NovuTrigger, sink: SinkProcess) -> None:
    assert await trigger.trigger([]) == []
    assert sink.paths() == []


@pytest.mark.parametrize(
    ("count", "paths"),
    [
        (1, ["trigger"]),
        (2, ["trigger", "trigger"]),
        (3, ["trigger/bulk"]),
        (100, ["trigger/bulk"]),
        (101, ["trigger/bulk", "trigger"]),
        (250, ["trigger/bulk", "trigger/bulk", "trigger/bulk"]),
    ],
)
async def test_events_go_in_as_few_and_as_cheap_calls_as_possible(
    trigger: NovuTrigger, sink: SinkProcess, count: int, paths: list[str]
) -> None:
    sent = events(count)

    assert await trigger.trigger(sent) == [ACCEPTED] * count

    assert sink.paths() == paths
    assert sorted(sink.transaction_ids()) == sorted(event.transaction_id for event in sent)


async def test_everything_of_an_event_reaches_novu(trigger: NovuTrigger, sink: SinkProcess) -> None:
    await trigger.trigger(
        [event("t1", workflow="bye", recipients=("ada", "bób"), payload={"ö": [1, None]}, overrides={"sms": {"x": 1}})]
    )

    call = sink.calls()[0]
    assert call["workflow"] == "bye"
    assert call["recipients"] == ["ada", "bób"]
    assert call["payload"] == {"ö": [1, None]}
    assert call["overrides"] == {"sms": {"x": 1}}


async def test_heavy_events_are_spread_over_requests_of_about_500_kilobytes(
    trigger: NovuTrigger, sink: SinkProcess
) -> None:
    assert await trigger.trigger(events(9, payload={"text": "x" * 120_000})) == [ACCEPTED] * 9

    assert sink.paths() == ["trigger/bulk", "trigger/bulk", "trigger"]
    assert all(request["body_bytes"] <= 500_000 for request in sink.requests())


async def test_an_event_too_large_for_novu_is_refused_without_a_call(trigger: NovuTrigger, sink: SinkProcess) -> None:
    heavy = event("t2", payload={"text": "ö" * 300_000})

    results = await trigger.trigger([event("t1"), heavy, event("t3")])

    assert results == [ACCEPTED, TriggerRefused("payload too large", RefusalCode.PAYLOAD_TOO_LARGE), ACCEPTED]
    assert sorted(sink.transaction_ids()) == ["t1", "t3"]


@pytest.mark.parametrize("payload", [{"n": float("nan")}, {"text": "\ud800"}, {"when": datetime.now(UTC)}])
async def test_a_payload_that_is_no_json_is_refused_without_a_call(
    trigger: NovuTrigger, sink: SinkProcess, payload: dict[str, Any]
) -> None:
    results = await trigger.trigger([event("t1", payload=payload), event("t2")])

    assert results == [TriggerRefused("payload is not JSON", RefusalCode.PAYLOAD_INVALID), ACCEPTED]
    assert sink.transaction_ids() == ["t2"]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("word", ["trigger_not_active", "no_workflow_steps_defined", "no_tenant_found"])
async def test_an_acknowledged_event_that_is_not_processed_is_refused_with_novus_word(
    trigger: NovuTrigger, sink: SinkProcess, count: int, word: str
) -> None:
    sink.fail({"kind": "event_status", "status": word, "workflow": "asleep"})

    results = await trigger.trigger([event("t0", workflow="asleep"), *events(count - 1)])

    assert results == [TriggerRefused(word), *[ACCEPTED] * (count - 1)]


@pytest.mark.parametrize("count", [1, 3])
async def test_an_unknown_workflow_is_refused_alike_alone_and_in_bulk(
    trigger: NovuTrigger, sink: SinkProcess, count: int
) -> None:
    results = await trigger.trigger([event("t0", workflow="nowhere"), *events(count - 1)])

    assert results == [TriggerRefused("workflow_not_found"), *[ACCEPTED] * (count - 1)]


async def test_a_status_that_novu_may_invent_is_a_refusal(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.fail({"kind": "event_status", "status": "on_strike", "error": ["until friday"], "workflow": "welcome"})

    assert await trigger.trigger([event()]) == [
        TriggerRefused("a status that is not known: in words that are not kept, because they may quote the row")
    ]


@pytest.mark.parametrize(
    ("generation", "reason"),
    [
        ("current", "Validation Error; name must be of another type"),
        ("2024", "name must be of another type"),
    ],
)
async def test_a_validation_error_is_a_refusal(
    trigger: NovuTrigger, sink: SinkProcess, generation: str, reason: str
) -> None:
    sink.settings(generation=generation)

    assert await trigger.trigger([event(workflow=7)]) == [TriggerRefused(reason)]  # type: ignore[arg-type]


async def test_an_event_for_nobody_and_one_for_everybody_are_accepted(trigger: NovuTrigger) -> None:
    sent = [event("t1", recipients=()), event("t2", recipients=("ada",) * 101)]

    assert await trigger.trigger(sent) == [ACCEPTED, ACCEPTED]


async def test_a_reason_is_bounded_and_repeats_nothing_personal(trigger: NovuTrigger, sink: SinkProcess) -> None:
    complaint = "ADA%40example.com cannot get 'dear ada' at +44 7700 900123, code 90210. " + "Sorry. " * 100
    sink.fail({"kind": "event_status", "error": [complaint], "workflow": "welcome"})
    payload = {"texts": [{"greeting": "Dear Ada"}], "phone": "+44 7700 900123", "code": 90210}

    results = await trigger.trigger([event(recipients=("ada@example.com",), payload=payload)])

    assert isinstance(results[0], TriggerRefused)
    assert results[0].reason == "error: in words that are not kept, because they may quote the row"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_bulk_request_falls_back_to_single_ones(
    trigger: NovuTrigger, sink: SinkProcess, status: int
) -> None:
    sink.fail({"kind": "unreadable_answer", "status": status, "body": "{}", "accepted": False})

    results = await trigger.trigger([*events(20), event("bad", workflow="nowhere")])

    assert results == [*[ACCEPTED] * 20, TriggerRefused("workflow_not_found")]
    assert sink.paths() == ["trigger/bulk", *["trigger"] * 21]
    assert sink.summary()["delivered"] == 20


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_single_request_without_explanation_is_a_refusal(
    trigger: NovuTrigger, sink: SinkProcess, status: int
) -> None:
    sink.fail({"kind": "unreadable_answer", "status": status})

    assert await trigger.trigger([event()]) == [TriggerRefused(f"HTTP {status}")]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_wrong_key_is_nobodys_rows_fault(sink: SinkProcess, count: int) -> None:
    async with open_trigger(sink.url, "another-key") as trigger:
        results = await trigger.trigger(events(count))

    assert results == [TriggerFault("HTTP 401: check NOVU_SECRET_KEY, and that NOVU_API_URL is of its region")] * count


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("status", [302, 404, 408, 425, 451, 503])
async def test_any_other_status_is_a_fault(trigger: NovuTrigger, sink: SinkProcess, status: int, count: int) -> None:
    sink.fail({"kind": "unreadable_answer", "status": status})

    results = await trigger.trigger(events(count))

    assert all(isinstance(result, TriggerFault) and f"HTTP {status}" in result.reason for result in results)
    assert len(results) == count
    assert sink.summary()["requests"] == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("status", [409, 500, 502, 504])
async def test_what_somebody_else_than_novu_says_of_a_call_leaves_open_what_became_of_it(
    trigger: NovuTrigger, sink: SinkProcess, status: int, count: int
) -> None:
    sink.fail({"kind": "unreadable_answer", "status": status})

    results = await trigger.trigger(events(count))

    assert all(isinstance(result, TriggerUnknown) and f"HTTP {status}" in result.reason for result in results)
    assert len(results) == count
    assert sink.summary()["requests"] == 1


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7.0), ("0", 0.0), ("999999", 3600.0), (None, None), ("soon", None), ("-3", None), ("1.5", None)],
)
async def test_retry_after_in_seconds_is_passed_on(
    trigger: NovuTrigger, sink: SinkProcess, retry_after: str | None, seconds: float | None
) -> None:
    sink.fail({"kind": "rate_limited", "retry_after": retry_after})

    assert await trigger.trigger([event()]) == [TriggerFault("HTTP 429", seconds, FaultCode.NOVU_RATE)]


@pytest.mark.parametrize(
    ("pause", "lowest", "highest"),
    [(timedelta(seconds=30), 25, 31), (timedelta(days=2), 3600, 3600), (timedelta(days=-2), 0, 0)],
)
async def test_retry_after_as_a_date_is_passed_on(
    trigger: NovuTrigger, sink: SinkProcess, pause: timedelta, lowest: float, highest: float
) -> None:
    until = format_datetime(datetime.now(UTC) + pause, usegmt=True)
    sink.fail({"kind": "server_error", "status": 503, "retry_after": until})

    [result] = await trigger.trigger([event()])

    assert isinstance(result, TriggerFault)
    assert result.retry_after_seconds is not None
    assert lowest <= result.retry_after_seconds <= highest


async def test_after_a_rate_limit_the_remaining_requests_are_not_made(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.fail({"kind": "rate_limited", "requests": None, "workflow": "second", "retry_after": "9"})
    sent = [
        *events(100),
        *(event(f"s{n}", workflow="second") for n in range(100)),
        *(event(f"r{n}") for n in range(50)),
    ]

    results = await trigger.trigger(sent)

    assert results == [ACCEPTED] * 100 + [TriggerFault("HTTP 429", 9.0, FaultCode.NOVU_RATE)] * 150
    assert sink.summary()["requests"] == 2


async def test_a_rate_limit_ends_the_fallback_to_single_requests(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.fail({"kind": "unreadable_answer", "status": 422}, {"kind": "rate_limited", "requests": None})

    results = await trigger.trigger(events(100))

    assert results == [TriggerFault("HTTP 429", 1.0, FaultCode.NOVU_RATE)] * 100
    assert sink.summary()["requests"] <= 1 + 8


async def test_a_failing_request_does_not_keep_the_next_one_from_being_made(
    trigger: NovuTrigger, sink: SinkProcess
) -> None:
    sink.fail({"kind": "server_error"})

    results = await trigger.trigger(events(103))

    assert results == [TriggerFault("HTTP 500", key_spent=True)] * 100 + [ACCEPTED] * 3


async def test_three_faults_in_a_row_are_an_outage_and_end_the_sending(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.fail({"kind": "server_error", "requests": None})

    results = await trigger.trigger(events(500))

    assert results == [TriggerFault("HTTP 500", key_spent=True)] * 500
    assert sink.summary()["requests"] == 3


async def test_a_single_event_that_novu_chokes_on_does_not_fail_the_others(
    trigger: NovuTrigger, sink: SinkProcess
) -> None:
    sink.fail(
        {"kind": "unreadable_answer", "status": 422}, {"kind": "server_error", "workflow": "poison", "requests": None}
    )

    results = await trigger.trigger([event("p1", workflow="poison"), *events(50), event("p2", workflow="poison")])

    assert results == [
        TriggerFault("HTTP 500", key_spent=True),
        *[ACCEPTED] * 50,
        TriggerFault("HTTP 500", key_spent=True),
    ]


@pytest.mark.parametrize("count", [1, 3])
async def test_accepted_events_whose_answer_never_comes_are_delivered_once_in_the_end(
    trigger: NovuTrigger, impatient_trigger: NovuTrigger, sink: SinkProcess, count: int
) -> None:
    sink.fail({"kind": "accept_then_hang"})

    first = await impatient_trigger.trigger(events(count))
    second = await trigger.trigger(events(count))

    assert first == [TriggerUnknown("ReadTimeout")] * count
    assert second == [ACCEPTED] * count
    summary = sink.summary()
    assert (summary["delivered"], summary["duplicates"]) == (count, count)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "",
        "null",
        "[]",
        "{}",
        '{"data": null}',
        '{"data": {"acknowledged": true}}',
        '{"data": [{"status": "processed"}]}',
        '{"data": [{"status": "processed"}, 7, {"status": null}]}',
    ],
)
async def test_an_unreadable_answer_leaves_open_what_became_of_the_call(
    trigger: NovuTrigger, sink: SinkProcess, body: str
) -> None:
    sink.fail(*[{"kind": "unreadable_answer", "body": body}] * 2)

    single = await trigger.trigger([event()])
    bulk = await trigger.trigger(events(3))

    assert isinstance(single[0], TriggerUnknown)
    assert isinstance(bulk[-1], TriggerUnknown)
    assert len(bulk) == 3


async def test_a_status_200_is_read_like_201(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.fail({"kind": "unreadable_answer", "status": 200, "body": '{"data": {"status": "processed"}}'})

    assert await trigger.trigger([event()]) == [ACCEPTED]


async def test_an_unreachable_novu_is_a_fault_found_once(unused_tcp_port: int) -> None:
    async with open_trigger(f"http://127.0.0.1:{unused_tcp_port}", SECRET_KEY) as trigger:
        assert await trigger.trigger(events(150)) == [TriggerFault("ConnectError")] * 150


async def test_a_triggered_event_can_be_cancelled(trigger: NovuTrigger, sink: SinkProcess) -> None:
    sink.settings(cancelling="all_taken")
    await trigger.trigger([event("xnovu.ent1/42")])

    assert await trigger.cancel("xnovu.ent1/42")
    assert not await trigger.cancel("xnovu.ent1/42")
    assert not await trigger.cancel("never-seen")
    assert sink.calls()[0]["cancelled"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "rate_limited", "retry_after": "3"}, "HTTP 429"),
        ({"kind": "server_error"}, "HTTP 500"),
        ({"kind": "unreadable_answer", "status": 200}, "unreadable answer"),
    ],
)
async def test_a_cancellation_without_an_answer_is_not_taken_for_one(
    trigger: NovuTrigger, sink: SinkProcess, fault: dict[str, Any], reason: str
) -> None:
    sink.fail(fault)

    with pytest.raises(CancelFailed) as raised:
        await trigger.cancel("t1")

    assert raised.value.fault.reason == reason


async def test_a_cancellation_that_is_never_answered_is_not_taken_for_one(
    impatient_trigger: NovuTrigger, sink: SinkProcess
) -> None:
    sink.fail({"kind": "accept_then_hang"})

    with pytest.raises(CancelFailed, match="ReadTimeout"):
        await impatient_trigger.cancel("t1")
