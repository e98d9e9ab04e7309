"""What Novu would evaluate, refuse or take for something else is gone from a text, and everything else is as it was."""

import time
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.notification.models import Channel
from worker.rendering.novu_traps import escape_traps
from worker.rendering.renderer import RenderedContent

TRAPS = st.lists(
    st.sampled_from(["{", "}", "%", "{{", "{%", "%}", "[T:", "a]", "\x00", "\x1f", "\t", "\n", "a", "1", '"', "&", "ö"])
).map("".join)


def escaped(channel: Channel, text: str) -> str:
    return escape_traps(channel, RenderedContent(subject=None, body=text)).body


@settings(deadline=None)
@given(TRAPS)
def test_html_says_the_same_without_a_brace_that_begins_a_tag(text: str) -> None:
    html = escaped(Channel.EMAIL, text)

    assert not {"{{", "{%", "[T:"} & {html[at : at + size] for at in range(len(html)) for size in (2, 3)}
    shown = html.removeprefix("<div>").removesuffix("</div>")
    assert unescape(shown) == unescape(text.replace("\x00", "").replace("\x1f", ""))


@settings(deadline=None)
@given(TRAPS)
def test_text_loses_control_characters_and_gains_nothing_but_spaces(text: str) -> None:
    shown = escaped(Channel.SMS, text)

    assert shown.replace(" ", "") == text.replace("\x00", "").replace("\x1f", "")
    assert shown.rfind("{%") + 2 <= shown.rfind("%}") or "{%" not in shown, "every tag is closed"


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("text", ["", "a {b} 50% [x] T: c", "<p>é 😀 \t\n\r\f\b</p>", "<p>{ {a} }</p>"])
def test_what_is_no_trap_stays_to_the_letter(channel: Channel, text: str) -> None:
    content = escape_traps(channel, RenderedContent(subject=text, body=text))

    assert (content.subject, content.body) == (text, text)


@pytest.mark.parametrize("text", ["482913", "true", '"x"', "[1]", ' {"a": 1} ', "null"])
def test_only_an_emails_body_that_is_json_is_wrapped(text: str) -> None:
    assert escaped(Channel.EMAIL, text) == f"<div>{text}</div>"
    assert escaped(Channel.SMS, text) == text


def test_a_text_full_of_traps_takes_no_longer_than_its_length() -> None:
    began = time.process_time()
    for trap in ("{{", "{%", "[T:", "{% %}", "[[", "\x00"):
        for channel in Channel:
            escaped(channel, trap * 200_000)

    assert time.process_time() - began < 5
