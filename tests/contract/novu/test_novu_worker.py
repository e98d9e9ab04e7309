"""What happens after `processed`: subscribers, addresses, providers, conditions."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.novu.made import ADA, jobs, make, messages, send, step
from tests.contract.novu.sink_process import SinkProcess

_EMAIL = step("email", body="<p>a</p>")
_SMS = step("sms", body="a")


async def test_an_unknown_recipient_becomes_a_subscriber_with_nothing_but_its_id(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    await make(api, _EMAIL)

    await send(api, sink, to=["nobody-yet"])

    subscriber = (await api.get("/v2/subscribers/nobody-yet")).json()["data"]
    assert {name for name in subscriber if not name.startswith("_")} == {"subscriberId", "channels"}


@pytest.mark.parametrize(
    ("kind", "detail", "text"),
    [
        ("email", "Subscriber missing recipient details", "Subscriber does not have an email address"),
        ("sms", "Subscriber missing recipient details", "Subscriber does not have a phone number"),
        ("push", "Subscriber credentials is missing the tokens for sending a push notification message", None),
        ("chat", "Webhook URL for the chat channel is missing", None),
    ],
)
async def test_a_missing_address_is_a_warning_and_a_failed_job(
    api: httpx.AsyncClient, sink: SinkProcess, kind: str, detail: str, text: str | None
) -> None:
    await make(api, step(kind, body="<p>a</p>"), step("in_app", body="next"))

    await send(api, sink, to=["nobody-yet"])

    failed, following = await jobs(api)
    [warned] = await messages(api, channel=kind)
    assert (failed["status"], failed["executionDetails"][-1]["detail"]) == ("failed", detail)
    assert (warned["status"], warned["errorText"]) == ("warning", text or detail)
    assert following["status"] == "completed"


async def test_objects_in_to_create_and_change_and_leave_the_rest(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _EMAIL)

    await send(api, sink, to=[ADA, "bob"])
    await send(api, sink, to={"subscriberId": "ada", "email": "no address"}, transaction_id="t2")

    subscriber = (await api.get("/v2/subscribers/ada")).json()["data"]
    assert (subscriber["email"], subscriber["firstName"]) == ("no address", "Ada")
    assert [message["email"] for message in await messages(api, transactionId="t2")] == ["no address"]


@pytest.mark.parametrize("raw", ["451 4.7.1 Try again later", "550 5.1.1 No such user"])
async def test_a_provider_is_asked_once_and_the_next_step_runs(
    api: httpx.AsyncClient, sink: SinkProcess, raw: str
) -> None:
    await make(api, _EMAIL, _SMS)
    sink.settings(provider_faults=[{"channel": "email", "times": 1, "raw": raw}])

    await send(api, sink)
    await send(api, sink, transaction_id="t2")

    failed, following = await jobs(api)
    detail = failed["executionDetails"][-1]
    assert (failed["status"], following["status"]) == ("failed", "completed")
    assert (detail["detail"], detail["status"]) == ("Unexpected provider error", "Failed")
    assert raw in detail["raw"]
    assert [job["status"] for job in await jobs(api, "t2")] == ["completed", "completed"]
    [message] = await messages(api, transactionId="t1", channel="email")
    assert (message["status"], message["errorText"]) == ("error", raw)


async def test_a_provider_can_fail_for_good_for_one_person(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _SMS)
    sink.settings(addresses="assumed", provider_faults=[{"subscriber": "bob"}])

    for transaction_id in ("t1", "t2"):
        await send(api, sink, to=["ada", "bob"], transaction_id=transaction_id)

    assert sink.ends("t1") == sink.ends("t2") == {"sms": {"sent": 1, "error": 1}}


async def test_a_share_of_messages_can_fail_and_always_the_same_ones(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _SMS)
    sink.settings(addresses="assumed", provider_faults=[{"share": 0.3}])

    await send(api, sink, to=[f"s{number}" for number in range(200)])

    assert 30 <= sink.ends()["sms"]["error"] <= 90


async def test_without_an_active_integration_nothing_is_made(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _EMAIL, _SMS)
    sink.order("integrations", channel="email", active=False)

    await send(api, sink)

    failed, following = await jobs(api)
    assert failed["executionDetails"][-1]["detail"] == "Subscriber does not have an active integration"
    assert following["status"] == "completed"
    assert await messages(api, channel="email") == []


RENDERED = "payload.rendered.EMAIL"


@pytest.mark.parametrize(
    ("skip", "payload", "runs"),
    [
        (None, {}, True),
        ({}, {}, True),
        ({"!=": [{"var": RENDERED}, None]}, {"rendered": {"EMAIL": {"body": "x"}}}, True),
        ({"!=": [{"var": RENDERED}, None]}, {"rendered": {"SMS": {"body": "x"}}}, False),
        ({"!=": [{"var": RENDERED}, None]}, {}, False),
        ({"!=": [{"var": f"{RENDERED}.body"}, None]}, {"rendered": {"EMAIL": {"body": "0"}}}, False),
        ({"!=": [{"var": f"{RENDERED}.body"}, None]}, {"rendered": {"EMAIL": {"body": "a"}}}, True),
        ({"==": [{"var": "payload.n"}, "7"]}, {"n": 7}, True),
        ({"and": [{">": [{"var": "payload.n"}, 1]}, {"<=": [{"var": "payload.n"}, 7]}]}, {"n": 7}, True),
        ({"or": [{"<": [{"var": "payload.n"}, 1]}, {">=": [{"var": "payload.n"}, 8]}]}, {"n": 7}, False),
        ({"!": {"=": [{"var": "payload.n"}, 7]}}, {"n": 7}, False),
        ({"in": [{"var": "payload.s"}, ["a", "b"]]}, {"s": "b"}, True),
        ({"notIn": [{"var": "payload.s"}, ["a", "b"]]}, {"s": "b"}, False),
        ({"startsWith": [{"var": "payload.s"}, "ab"]}, {"s": "abc"}, True),
        ({"endsWith": [{"var": "payload.s"}, "ab"]}, {"s": "abc"}, False),
        ({"contains": [{"var": "payload.s"}, "b"]}, {"s": "abc"}, True),
        ({"doesNotContain": [{"var": "payload.s"}, "b"]}, {"s": "abc"}, False),
        ({"null": [{"var": "payload.s"}]}, {}, True),
        ({"notNull": [{"var": "payload.s"}]}, {}, False),
        ({"between": [{"var": "payload.n"}, [1, 7]]}, {"n": 7}, True),
    ],
)
async def test_skip_says_when_a_step_runs(
    api: httpx.AsyncClient, sink: SinkProcess, skip: Any, payload: dict[str, Any], runs: bool
) -> None:
    await make(api, step("sms", body="a", skip=skip))

    await send(api, sink, **payload)

    assert sink.ends() == {"sms": {"sent" if runs else "skipped": 1}}


async def test_channels_that_were_not_rendered_are_sent_unless_their_step_has_a_condition(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    email = step(
        "email", subject="{{ payload.rendered.EMAIL.subject }}", body="<div>{{ payload.rendered.EMAIL.body }}</div>"
    )
    await make(api, email, step("in_app", body="{{ payload.rendered.IN_APP.body }}"))
    sink.settings(generation="2024")

    await send(api, sink, rendered={"IN_APP": {"body": "Hello"}})

    sent = {message["channel"]: (message["subject"], message["content"]) for message in await messages(api)}
    assert sent == {"email": ("", "<div></div>"), "in_app": (None, "Hello")}


async def test_a_sample_workflow_shows_the_channels_that_were_rendered_or_the_payload(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    sink.settings(addresses="assumed", unknown_workflows="make")
    rendered = {"EMAIL": {"body": "a", "subject": "b"}, "PUSH": {"body": "a"}}

    await send(api, sink, rendered=rendered)
    await send(api, sink, transaction_id="u1", order=7)

    assert {channel for channel, ends in sink.ends("t1").items() if ends.get("sent")} == {"email", "push"}
    assert [message["content"] for message in await messages(api, transactionId="u1")] == ['{"order": 7}']


async def test_what_was_dropped_is_told_with_its_reason(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _SMS)
    sink.settings(worker={"paused": True})
    await api.post("/v1/events/trigger", json={"name": "made", "to": ["ada", 5], "transactionId": "t1"})
    await api.delete("/v2/workflows/made")
    await api.post("/v1/events/trigger", json={"name": "welcome", "to": [5, {"topicKey": "x"}], "transactionId": "t2"})

    sink.settings(worker={"paused": False})

    assert sink.truth()["dropped_by_reason"] == {
        "workflow deleted before the worker came to it": 1,
        "no subscriber id": 1,
        "unknown topic": 1,
    }
