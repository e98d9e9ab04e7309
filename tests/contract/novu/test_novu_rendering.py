"""How values of a payload arrive in a message: what Novu renders, what it renders twice, and what makes a step fail."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.novu.made import jobs, make, messages, send, step
from tests.contract.novu.sink_process import SinkProcess

_NOT_GENERATED = "Message content could not be generated"
_VALUE = "{{ payload.value }}"
_CHANNELS = {
    "email": step("email", body=f"<div>{_VALUE}</div>"),
    "sms": step("sms", body=_VALUE),
    "in_app": step("in_app", body=_VALUE, disableOutputSanitization=True),
}


async def _content(api: httpx.AsyncClient, sink: SinkProcess, kind: str, value: object) -> str:
    await make(api, _CHANNELS[kind])
    await send(api, sink, value=value)
    [message] = await messages(api)
    content: str = message["content"]
    return content


@pytest.mark.parametrize("kind", _CHANNELS)
@pytest.mark.parametrize(
    "value", ['"quoted" \\ back', "two\nlines\tand a tab", "😀 ö", "<b>&amp; & ></b>", "{ brace }", "50%"]
)
async def test_values_arrive_exactly(api: httpx.AsyncClient, sink: SinkProcess, kind: str, value: str) -> None:
    content = await _content(api, sink, kind, value)

    assert content == (f"<div>{value}</div>" if kind == "email" else value)


@pytest.mark.parametrize("kind", _CHANNELS)
@pytest.mark.parametrize("value", ["50 {% off", "a\x00b", "a\x0bb", "a\x1fb"])
async def test_an_unclosed_tag_or_a_control_character_in_a_value_fails_the_step(
    api: httpx.AsyncClient, sink: SinkProcess, kind: str, value: str
) -> None:
    await make(api, _CHANNELS[kind], step("chat", body="next"))

    await send(api, sink, value=value)

    failed, following = await jobs(api)
    assert failed["status"] == "failed"
    assert [detail["detail"] for detail in failed["executionDetails"]] == [_NOT_GENERATED]
    assert following["executionDetails"], "the steps after it run"


@pytest.mark.parametrize("value", ["a\bb", "a\tb", "a\nb", "a\fb", "a\rb"])
async def test_these_control_characters_pass(api: httpx.AsyncClient, sink: SinkProcess, value: str) -> None:
    assert await _content(api, sink, "sms", value) == value


async def test_liquid_in_a_value_is_evaluated_in_an_emails_body_and_nowhere_else(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    value = "to {{ subscriber.email }}"
    await make(api, step("email", subject=_VALUE, body=f"<div>{_VALUE}</div>"), step("sms", body=_VALUE))

    await send(api, sink, value=value)

    by_channel = {message["channel"]: message for message in await messages(api)}
    assert by_channel["email"]["content"] == "<div>to ada@example.org</div>"
    assert by_channel["email"]["subject"] == value
    assert by_channel["sms"]["content"] == value


async def test_a_closed_tag_in_a_value_fails_an_email_and_passes_elsewhere(
    api: httpx.AsyncClient, sink: SinkProcess
) -> None:
    await make(api, _CHANNELS["email"], _CHANNELS["sms"])

    await send(api, sink, value="{% unheardof %}")

    assert [(job["type"], job["status"]) for job in await jobs(api)] == [("email", "failed"), ("sms", "completed")]


@pytest.mark.parametrize("value", ["482913", "true", '"x"', "[1]"])
async def test_an_email_body_that_is_json_is_taken_for_a_block_document(
    api: httpx.AsyncClient, sink: SinkProcess, value: str
) -> None:
    await make(api, step("email", body=_VALUE), workflow_id="made")

    await send(api, sink, value=value)

    assert [message["content"] for message in await messages(api)] == [""]


@pytest.mark.parametrize("value", ["482913", "true", '"x"', "[1]"])
async def test_a_wrapping_div_avoids_it(api: httpx.AsyncClient, sink: SinkProcess, value: str) -> None:
    assert await _content(api, sink, "email", value) == f"<div>{value}</div>"


async def test_a_block_document_is_shown_as_html(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    document = '{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"Hello & bye"}]}]}'
    await make(api, step("email", editorType="block", body=document))

    await send(api, sink)

    assert [message["content"] for message in await messages(api)] == ["<p>Hello &amp; bye</p>"]


@pytest.mark.parametrize(("kind", "content"), [("sms", "see {{t.abc}}"), ("email", "<div>see </div>")])
async def test_a_translation_key_in_a_value_becomes_a_variable(
    api: httpx.AsyncClient, sink: SinkProcess, kind: str, content: str
) -> None:
    assert await _content(api, sink, kind, "see [T:abc]") == content


async def test_in_2024_a_quote_in_a_value_fails_the_step(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, _CHANNELS["sms"])
    sink.settings(generation="2024")

    await send(api, sink, value='say "hello"')

    assert [job["status"] for job in await jobs(api)] == ["failed"]


@pytest.mark.parametrize(
    "template", ['{{ payload.value | default: "x" }}', '{% if payload.value == "x" %}y{% endif %}']
)
async def test_a_double_quote_inside_a_tag_fails_the_step_and_a_single_one_does_not(
    api: httpx.AsyncClient, sink: SinkProcess, template: str
) -> None:
    await make(api, step("sms", body=template), step("chat", body=template.replace('"', "'")))

    await send(api, sink, value="v")

    sms, chat = await jobs(api)
    assert (sms["status"], chat["executionDetails"][0]["detail"]) == ("failed", "Message created")


@pytest.mark.parametrize("kind", ["email", "in_app"])
@pytest.mark.parametrize(
    ("value", "sanitised"),
    [
        ("<script>x()</script><p>a</p>", "<p>a</p>"),
        ('<p onclick="x()">a</p>', "<p>a</p>"),
        ("<blink>a</blink>", "a"),
        ('<img src="data:image/png;base64,AAAA">', "<img>"),
        ('<img src="https://x.org/a.png">', '<img src="https://x.org/a.png">'),
        ('<img src="cid:a">', '<img src="cid:a">'),
    ],
)
async def test_email_and_in_app_are_sanitised_unless_that_is_disabled(
    api: httpx.AsyncClient, sink: SinkProcess, kind: str, value: str, sanitised: str
) -> None:
    disabled = step(kind, body=f"<div>{_VALUE}</div>", disableOutputSanitization=True)
    await make(
        api, step(kind, body=f"<div>{_VALUE}</div>", disableOutputSanitization=False), {**disabled, "name": "as it is"}
    )

    await send(api, sink, value=value)

    assert sorted(message["content"] for message in await messages(api)) == sorted(
        [f"<div>{sanitised}</div>", f"<div>{value}</div>"]
    )


async def test_a_sanitised_subject_is_html_text(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    await make(api, step("email", subject=_VALUE, body="<p>a</p>", disableOutputSanitization=False))

    await send(api, sink, value="Salt & pepper")

    assert [message["subject"] for message in await messages(api)] == ["Salt &amp; pepper"]


async def test_comments_always_go_from_emails(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    assert await _content(api, sink, "email", "a<!-- gone -->b") == "<div>ab</div>"


@pytest.mark.parametrize(
    ("kind", "generation", "status"),
    [
        ("email", "current", "failed"),
        ("email", "2024", "completed"),
        ("in_app", "current", "failed"),
        ("push", "current", "completed"),
    ],
)
async def test_an_empty_subject(
    api: httpx.AsyncClient, sink: SinkProcess, kind: str, generation: str, status: str
) -> None:
    await make(api, step(kind, subject=_VALUE, body="<p>a</p>"))
    sink.settings(generation=generation, addresses="assumed")

    await send(api, sink, value="")

    assert [job["status"] for job in await jobs(api)] == [status]


@pytest.mark.parametrize("kind", ["sms", "in_app", "chat", "push"])
async def test_an_empty_body_passes(api: httpx.AsyncClient, sink: SinkProcess, kind: str) -> None:
    await make(api, step(kind, body=_VALUE))
    sink.settings(addresses="assumed")

    await send(api, sink, value="")

    assert [job["status"] for job in await jobs(api)] == ["completed"]


async def test_free_plans_append_branding_to_emails(api: httpx.AsyncClient, sink: SinkProcess) -> None:
    sink.settings(plan="free")

    assert "Novu" in await _content(api, sink, "email", "a")
