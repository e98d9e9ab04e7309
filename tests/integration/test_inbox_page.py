"""The inbox in a browser: messages as they are meant, frames as tall as their mail; axe-core finds nothing."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contract.novu.events import event_body
from tests.contract.novu.sink_process import SECRET_KEY, SinkProcess
from tests.integration.accessibility import axe_core, findings
from tests.integration.chromium import Page

LONG_MAIL = "<style>p { margin: 0; height: 100px }</style>" + "<p>A line</p>" * 7
IN_APP = "Order <b>A-17</b> has left us.<script>parent.document.title = 'run'</script>"


@pytest.fixture(scope="module")
def sink() -> Iterator[SinkProcess]:
    with SinkProcess.started(
        "--settings", '{"addresses": "assumed", "trace_url": "http://127.0.0.1:9/trace?id="}'
    ) as sink:
        sink.make_workflows("welcome")
        yield sink


def trigger(sink: SinkProcess, transaction_id: str, **channels: dict[str, str]) -> None:
    answer = httpx.post(
        f"{sink.url}/v1/events/trigger",
        json=event_body(transaction_id, payload={"rendered": channels}),
        headers={"Authorization": f"ApiKey {SECRET_KEY}"},
    )
    assert answer.status_code == 201, answer.text
    sink.truth()


async def test_messages_are_shown_as_they_are_meant_and_stay_when_others_come(browser: Page, sink: SinkProcess) -> None:
    trigger(
        sink, "t/1", EMAIL={"subject": "Shipped", "body": LONG_MAIL}, IN_APP={"body": IN_APP}, SMS={"body": "a < b"}
    )

    await browser.open(f"{sink.url}/")

    mail, in_app = (f"document.querySelector('iframe[title^={channel}]')" for channel in ("email", "in_app"))
    await browser.wait_for(f"{mail}.offsetHeight >= 700 && {mail}.offsetHeight < 800")
    await browser.wait_for(f"{in_app}.contentDocument?.querySelector('b')?.textContent === 'A-17'")
    assert await browser.evaluate("document.querySelectorAll('iframe').length") == 2, "text is no page"
    assert await browser.evaluate("document.title") == "Inbox – Novu sink", "what is in a message does not run"
    assert await browser.evaluate("document.querySelector('article a').href") == "http://127.0.0.1:9/trace?id=t/1"
    assert await browser.evaluate("document.body.innerText.includes('A stand-in for Novu')")

    await browser.evaluate(f"window.first = {mail}")
    trigger(sink, "t/2", SMS={"body": "another"})
    await browser.wait_for("document.querySelector('article').innerText.includes('another')")
    assert await browser.evaluate(f"first === {mail} && first.offsetHeight >= 700")


async def test_axe_core_finds_nothing(browser: Page, sink: SinkProcess) -> None:
    source = axe_core()
    await browser.open(f"{sink.url}/?subscriber=nobody")
    assert await findings(browser, source) == []

    sink.settings(provider_faults=[{"channel": "sms"}])
    trigger(sink, "t/3", SMS={"body": "lost"}, EMAIL={"subject": "Shipped", "body": LONG_MAIL}, IN_APP={"body": IN_APP})
    trigger(sink, "t/3", SMS={"body": "a duplicate"})
    await browser.open(f"{sink.url}/")
    assert await browser.evaluate("!!document.querySelector('.lost') && !!document.querySelector('.error')")
    await browser.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
    assert await findings(browser, source) == []
