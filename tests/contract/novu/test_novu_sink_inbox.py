"""The inbox shows messages, and nothing in a message can act on the page."""

from __future__ import annotations

import httpx

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SinkProcess

SCRIPT = '<script>alert("x")</script>'
ESCAPED_SCRIPT = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;"


async def test_an_email_is_shown_in_a_frame_that_runs_nothing(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    email = {"subject": SCRIPT, "body": f"<h1>Hello</h1>{SCRIPT}"}
    await novu.post("/trigger", json=event_body(payload={"rendered": {"EMAIL": email}}))

    page = sink.inbox()

    assert f'<iframe sandbox srcdoc="&lt;h1&gt;Hello&lt;/h1&gt;{ESCAPED_SCRIPT}"' in page.text
    assert f'<p class="subject">{ESCAPED_SCRIPT}</p>' in page.text
    assert SCRIPT not in page.text


async def test_everything_else_that_was_sent_is_escaped(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
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


async def test_a_static_message_shows_its_payload(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger", json=event_body(payload={"order": "A-7"}))

    assert "&#34;order&#34;: &#34;A-7&#34;" in sink.inbox().text


async def test_the_newest_message_comes_first_and_duplicates_are_marked(
    novu: httpx.AsyncClient, sink: SinkProcess
) -> None:
    for transaction_id in ("t-old", "t-new", "t-old"):
        await novu.post("/trigger", json=event_body(transaction_id))

    page = sink.inbox().text

    assert page.index("t-new") < page.rindex("t-old")
    assert page.index('<article class="duplicate">') < page.index('<article class="processed">')


async def test_messages_can_be_chosen_by_workflow_and_subscriber(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    await novu.post("/trigger/bulk", json={"events": [event_body("t-ada"), event_body("t-bob", name="bye", to="bob")]})

    by_workflow = sink.inbox(workflow="bye", subscriber="").text
    by_subscriber = sink.inbox(subscriber="ada").text

    assert ("t-bob" in by_workflow, "t-ada" in by_workflow) == (True, False)
    assert ("t-bob" in by_subscriber, "t-ada" in by_subscriber) == (False, True)


async def test_half_a_surrogate_pair_is_shown_and_told(novu: httpx.AsyncClient, sink: SinkProcess) -> None:
    body = rb'{"name": "\ud800", "to": "ada", "transactionId": "t\udfff", "payload": {"text": "\ud800"}}'

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
