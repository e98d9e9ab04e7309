"""The inbox shows what each person got and what nobody got, and nothing in a message can act on the page."""

from __future__ import annotations

import httpx

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

SCRIPT = '<script>alert("x")</script>'
ESCAPED_SCRIPT = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;"
EVERYBODY_HAS_ADDRESSES = {"addresses": "assumed"}


async def test_an_email_is_shown_in_a_frame_that_runs_nothing(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(**EVERYBODY_HAS_ADDRESSES)
    email = {"subject": SCRIPT, "body": f"<h1>Hello</h1>{SCRIPT}"}
    await novu.post("/trigger", json=event_body(payload={"rendered": {"EMAIL": email}}))

    page = sink.inbox()

    assert f'<iframe sandbox srcdoc="&lt;div&gt;&lt;h1&gt;Hello&lt;/h1&gt;{ESCAPED_SCRIPT}' in page.text
    assert f'<p class="subject">{ESCAPED_SCRIPT}</p>' in page.text
    assert SCRIPT not in page.text


async def test_everything_else_that_was_sent_is_escaped(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(unknown_workflows="make")
    rendered = {channel: {"body": SCRIPT} for channel in ("IN_APP", "SMS", "PUSH", "CHAT")}
    await novu.post(
        "/trigger",
        json=event_body(f"t1{SCRIPT}", name=SCRIPT, to=[SCRIPT], payload={SCRIPT: SCRIPT, "rendered": rendered}),
    )

    page = sink.inbox().text

    assert SCRIPT not in page
    assert page.count(f'<p class="body">{ESCAPED_SCRIPT}</p>') == 4
    assert f"<h2>{ESCAPED_SCRIPT}</h2>" in page


async def test_nothing_is_loaded_from_elsewhere(sink: SinkProcess) -> None:
    page = sink.inbox()

    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")


async def test_the_page_says_that_it_is_a_stand_in(sink: SinkProcess) -> None:
    assert "A stand-in for Novu" in sink.inbox().text


async def test_a_static_message_shows_its_payload(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger", json=event_body(payload={"order": "A-7"}))

    assert "&#34;order&#34;: &#34;A-7&#34;" in sink.inbox().text


async def test_the_newest_message_comes_first_and_a_duplicate_is_said_to_have_been_dropped(
    novu: httpx.AsyncClient, sink: SinkProcess
) -> None:
    for transaction_id in ("t-old", "t-new", "t-old"):
        await novu.post("/trigger", json=event_body(transaction_id))
        sink.truth()

    page = sink.inbox().text

    messages = page[page.index("<article") :]
    assert messages.index("t-new") < messages.index("t-old")
    assert "duplicate: its transaction id has jobs already" in page[: page.index("<article")]


async def test_each_person_and_each_channel_has_a_message_of_its_own(
    novu: httpx.AsyncClient, sink: SinkProcess
) -> None:
    rendered = {"IN_APP": {"body": "Hello"}, "EMAIL": {"subject": "Hello", "body": "Hello"}}
    await novu.post(
        "/trigger",
        json=event_body(to=["ada", {"subscriberId": "bob", "email": "bob@x.org"}], payload={"rendered": rendered}),
    )

    page = sink.inbox().text

    assert (page.count("<h2>ada</h2>"), page.count("<h2>bob</h2>")) == (2, 2)
    assert "to bob@x.org" in page
    assert page.count('<article class="warning">') == 1
    assert "Subscriber missing recipient details" in page


async def test_messages_can_be_chosen(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger/bulk", json={"events": [event_body("t-ada"), event_body("t-bob", name="bye", to="bob")]})

    by_workflow = sink.inbox(workflow="bye", subscriber="").text
    by_subscriber = sink.inbox(subscriber="ada").text
    by_channel = sink.inbox(channel="sms").text

    assert ("t-bob" in by_workflow, "t-ada" in by_workflow) == (True, False)
    assert ("t-bob" in by_subscriber, "t-ada" in by_subscriber) == (False, True)
    assert "<article" not in by_channel


async def test_half_a_surrogate_pair_is_shown_and_told(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(unknown_workflows="make")
    body = rb'{"name": "\ud800", "to": "\ud801", "transactionId": "t\udfff", "payload": {"text": "\ud800"}}'

    answer = await novu.post("/trigger", content=body)

    assert answer.status_code == 201
    assert sink.calls()[0]["transaction_id"] == "t\udfff"
    assert "<h2>?</h2>" in sink.inbox().text


async def test_malformed_content_is_shown_too(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    odd = [event_body(payload="text"), 7, event_body("t2", payload={"rendered": {"EMAIL": 7, "SMS": {"body": None}}})]
    await novu.post("/trigger/bulk", json={"events": odd})

    page = sink.inbox()

    assert page.status_code == 200
    assert "payload must be an object" in page.text
