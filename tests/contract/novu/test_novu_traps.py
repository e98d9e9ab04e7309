"""Rendered text, as the worker sends it, arrives as it was written, in a workflow like those that XNovu makes."""

from __future__ import annotations

from html import unescape
from typing import Any

import httpx
import pytest

from shared.notification.models import Channel, Notification, NovuWorkflow, WorkflowType
from shared.novu import NovuTrigger
from shared.ports import TriggerAccepted
from tests.contract.novu.made import jobs, make, messages, step
from tests.contract.novu.sink_process import SinkProcess
from worker.activities.preparation import trigger_events
from worker.rendering.renderer import RenderedContent

WORKFLOW = NovuWorkflow("made", WorkflowType.DYNAMIC)
TRAPS = [
    "to {{ subscriber.email }} and {{{ x",
    "a {% unheardof %} b",
    "50 {% off",
    "%} {%",
    "a\x00b\x0bc\x1fd",
    "482913",
    "true",
    '"x"',
    "see [T:abc] there",
    'say "hello" \\ \n 😀',
]


def _body(channel: str) -> str:
    return f"{{{{payload.rendered.{channel}.body}}}}"


STEPS: dict[Channel, tuple[str, dict[str, Any]]] = {
    Channel.EMAIL: ("email", {"subject": "{{payload.rendered.EMAIL.subject}}", "body": _body("EMAIL")}),
    Channel.SMS: ("sms", {"body": _body("SMS")}),
    Channel.IN_APP: ("in_app", {"body": _body("IN_APP"), "disableOutputSanitization": True}),
}


@pytest.mark.parametrize("written", TRAPS)
async def test_a_text_arrives_as_it_was_written(
    api: httpx.AsyncClient, trigger: NovuTrigger, sink: SinkProcess, written: str
) -> None:
    await make(api, *(step(kind, **controls) for kind, controls in STEPS.values()))
    notification = Notification(1, WORKFLOW, ("ada",), {}, "xnovu.1")
    rendered = {channel: RenderedContent(written if channel is Channel.EMAIL else None, written) for channel in STEPS}
    person = {"subscriberId": "ada", "email": "ada@example.org", "phone": "+44 7700 900123"}
    await api.post("/v2/subscribers", json=person)

    answers = await trigger.trigger(trigger_events(notification, WORKFLOW, rendered))
    sink.truth()

    assert answers == [TriggerAccepted()]
    assert [job["status"] for job in await jobs(api, "xnovu.1")] == ["completed"] * 3
    arrived = {message["channel"]: message for message in await messages(api)}
    kept = written.translate(dict.fromkeys([0x00, 0x0B, 0x1F]))
    email = unescape(arrived["email"]["content"]).removeprefix("<div>").removesuffix("</div>")
    assert email == kept
    texts = [arrived["email"]["subject"], arrived["sms"]["content"], arrived["in_app"]["content"]]
    assert [text.replace("{ %", "{%").replace("[ T:", "[T:") for text in texts] == [kept] * 3
