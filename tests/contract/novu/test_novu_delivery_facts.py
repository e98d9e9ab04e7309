"""What we read off Novu's activity, messages and webhooks is what became of them, by the sink's count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from shared.notification.delivery import CHANNELS, Cause, DeliveryFact
from shared.novu.activity import NovuActivity
from shared.novu.delivery_facts import read_event, read_message, read_notification
from shared.ports import ActivityUnavailable
from tests.contract.novu.events import event_body
from tests.contract.novu.made import ADA, make, send, step
from tests.contract.novu.sink_process import SinkProcess
from tests.contract.novu.test_novu_webhooks import Receiver, receiver
from tests.workflows.conftest import eventually

__all__ = ["receiver"]

EVERYTHING = (
    step("email", body="<p>a</p>"),
    step("sms", body="a"),
    step("in_app", body="a"),
    step("push", subject="a", body="a"),
    step("chat", body="a", skip={"==": [{"var": "payload.chat"}, True]}),
)
OUTCOMES = {"sent": "sent", "warning": "failed", "error": "failed", "failed": "failed", "skipped": "skipped"}


def counted(facts: Iterable[DeliveryFact]) -> dict[tuple[str, str], int]:
    return dict(Counter((fact.channel, fact.outcome) for fact in facts))


def truth(sink: SinkProcess, *, skipped: bool = True) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for person in sink.truth()["people"]:
        for end, outcome in OUTCOMES.items():
            if count := person.get(end):
                counts[CHANNELS[person["channel"]], outcome] += count
    return {key: count for key, count in counts.items() if skipped or key[1] != "skipped"}


@pytest.fixture
async def activity(api: httpx.AsyncClient) -> NovuActivity:
    return NovuActivity(api)


async def sent_with_faults(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    """Ada's mail is refused by its provider, Bob has no address, SMS have no provider, nobody asked for chat."""
    sink.settings(provider_faults=[{"channel": "email", "raw": "550 5.1.1 <ada@example.org>: no such user"}])
    sink.order("integrations", channel="sms", active=False)
    await make(api, *EVERYTHING)
    await send(api, sink, to=[ADA, "bob"])


async def test_the_activity_feed_says_what_the_truth_is(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity
) -> None:
    await sent_with_faults(api, sink)

    page = await activity.notifications(["t1"], 0, 50)

    entries = [read_notification(entry) for entry in page.entries]
    facts = [fact for entry in entries if entry is not None for fact in entry.facts]
    assert counted(facts) == truth(sink)
    assert [entry is not None and entry.settled for entry in entries] == [True, True]
    causes = {(fact.subscriber_id, fact.channel): fact.cause for fact in facts if fact.cause is not None}
    assert causes == {
        ("ada", "EMAIL"): Cause.PROVIDER_ERROR,
        ("bob", "EMAIL"): Cause.NO_ADDRESS,
        ("ada", "SMS"): Cause.NO_INTEGRATION,
        ("bob", "SMS"): Cause.NO_INTEGRATION,
        ("ada", "PUSH"): Cause.NO_ADDRESS,
        ("bob", "PUSH"): Cause.NO_ADDRESS,
        ("ada", "CHAT"): Cause.CONDITION,
        ("bob", "CHAT"): Cause.CONDITION,
    }


async def test_messages_say_the_same_as_far_as_there_are_any(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity
) -> None:
    await sent_with_faults(api, sink)

    page = await activity.messages(["t1"], 0, 50)

    facts = [fact for message in page.entries if (fact := read_message(message)) is not None]
    assert counted(facts) == {key: count for key, count in truth(sink, skipped=False).items() if key[0] != "SMS"}
    assert {(fact.subscriber_id, fact.channel): fact.cause for fact in facts if fact.cause is not None} == {
        ("ada", "EMAIL"): Cause.PROVIDER_ERROR,
        ("bob", "EMAIL"): Cause.NO_ADDRESS,
        ("ada", "PUSH"): Cause.NO_ADDRESS,
        ("bob", "PUSH"): Cause.NO_ADDRESS,
    }


async def test_webhooks_say_the_same_of_what_they_tell(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    sink.settings(webhooks={"url": receiver.url, "missing_address_fails": True})

    await sent_with_faults(api, sink)

    told = [fact for event in receiver.events(7) if (fact := read_event(event)) is not None]
    assert counted(told) == {key: count for key, count in truth(sink, skipped=False).items() if key[0] != "SMS"}


async def test_a_chat_failure_that_is_told_as_sent_has_failed(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    await make(api, step("chat", body="a"))
    sink.settings(addresses="assumed", provider_faults=[{"raw": "no"}], webhooks={"url": receiver.url})

    await send(api, sink)

    [event] = receiver.events(1)
    fact = read_event(event)
    assert event["type"] == "message.sent"
    assert fact is not None
    assert (fact.outcome, fact.cause) == ("failed", Cause.PROVIDER_ERROR)


async def test_marks_say_that_it_was_sent_seen_and_read(
    api: httpx.AsyncClient, sink: SinkProcess, receiver: Receiver
) -> None:
    await make(api, step("in_app", body="a"))
    await send(api, sink)
    sink.settings(webhooks={"url": receiver.url})
    [message] = (await api.get("/v1/messages")).json()["data"]

    for marks in (["seen"], ["read"], ["unread"], ["archived"], ["snoozed"], ["delivered"]):
        sink.order("marks", message_id=message["_id"], marks=marks)

    facts = {event["type"]: read_event(event) for event in receiver.events(6)}
    assert {kind: (it.outcome, it.seen, it.read) for kind, it in facts.items() if it is not None} == {
        "message.seen": ("sent", True, False),
        "message.read": ("sent", True, True),
        "message.unread": ("sent", True, False),
        "message.archived": ("sent", True, False),
        "message.snoozed": ("sent", True, False),
        "message.delivered": ("sent", True, False),
    }


async def test_a_step_that_is_held_back_is_not_settled(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity
) -> None:
    delay = step("delay", type="regular", amount=1, unit="hours")
    await make(api, step("in_app", body="a"), delay, step("sms", body="a"))

    await api.post("/v1/events/trigger", json=event_body("t1", name="made", to=["ada"]))

    async def has_begun() -> bool:
        return bool((await activity.notifications(["t1"], 0, 50)).entries)

    await eventually(has_begun)
    [entry] = (await activity.notifications(["t1"], 0, 50)).entries
    told = read_notification(entry)
    assert told is not None
    assert (told.settled, counted(told.facts)) == (False, {("IN_APP", "sent"): 1})


async def test_nothing_of_a_providers_words_is_in_a_fact(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity, receiver: Receiver
) -> None:
    sink.settings(webhooks={"url": receiver.url})
    await sent_with_faults(api, sink)

    pages = [await activity.notifications(["t1"], 0, 50), await activity.messages(["t1"], 0, 50)]

    read = [read_notification(entry) for entry in pages[0].entries], [read_message(it) for it in pages[1].entries]
    told = [read_event(event) for event in receiver.events(4)]
    assert "example.org" in json.dumps([page.entries for page in pages])
    assert "example.org" not in repr((read, told))


async def test_pages_say_whether_there_are_more(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity
) -> None:
    await make(api, step("in_app", body="a"))
    await send(api, sink, to=["ada", "bob", "cyd"])

    first, second = [await activity.notifications(["t1"], page, 2) for page in (0, 1)]

    assert ((len(first.entries), first.has_more), (len(second.entries), second.has_more)) == ((2, True), (1, False))


async def test_a_refusal_names_its_status_and_the_pause(
    api: httpx.AsyncClient, sink: SinkProcess, activity: NovuActivity
) -> None:
    sink.fail({"kind": "rate_limited", "retry_after": "7", "path": "/v1/notifications"})

    with pytest.raises(ActivityUnavailable, match="HTTP 429") as caught:
        await activity.notifications(["t1"], 0, 50)

    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"type": "message.sent"},
        {"type": "message.sent", "data": []},
        {"type": "message.sent", "data": {"object": None}},
        {"type": "message.sent", "data": {"object": {"transactionId": "t", "subscriberId": "", "channel": "email"}}},
        {"type": "message.sent", "data": {"object": {"transactionId": "t", "subscriberId": "a\x00", "channel": "sms"}}},
        {
            "type": "message.sent",
            "data": {"object": {"transactionId": "t", "subscriberId": "\ud800", "channel": "sms"}},
        },
        {"type": "message.sent", "data": {"object": {"transactionId": "t", "subscriberId": "a", "channel": "pigeon"}}},
        {"type": "message.sent", "data": {"object": {"transactionId": "t", "subscriberId": "a", "channel": {}}}},
        {"type": "workflow.created", "data": {"object": {"transactionId": "t", "subscriberId": "a", "channel": "sms"}}},
        {"type": {}, "data": {"object": {"transactionId": "t", "subscriberId": "a", "channel": "sms"}}},
    ],
)
def test_what_is_no_event_of_a_message_says_nothing(event: Any) -> None:
    assert read_event(event) is None


@pytest.mark.parametrize(
    "entry", [{}, {"transactionId": 1}, {"transactionId": "t", "subscriber": "a", "jobs": []}, {"jobs": None}]
)
def test_an_entry_that_names_nobody_says_nothing(entry: dict[str, Any]) -> None:
    assert read_notification(entry) is None
