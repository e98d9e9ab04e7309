import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import Channel
from tests.unit.rendering.builders import render
from tests.unit.rendering.test_html_sanitizing import HTML
from worker.rendering.plain_text import sanitize_chat, sanitize_push, sanitize_sms
from worker.rendering.subject import clean_subject

TEXTS = HTML | st.text() | HTML.map(html.escape) | st.text(alphabet="&#;<>amplt38b \n[](:j", max_size=60)
TAG = re.compile(r"</?[a-zA-Z!?]")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>Hello <b>Ann</b></p>", "Hello Ann"),
        ("a &amp; b &lt; c &#8364;", "a & b < c €"),
        ("5 < 6 & 7 > 3, I <3 you", "5 < 6 & 7 > 3, I <3 you"),
        ("&lt;b&gt;a&lt;/b&gt;", "a"),
        ("&amp;amp;lt;b&amp;amp;gt;a", "a"),
        ("<script>x</script>a<style>y</style>", "a"),
        ("  a \n\n\t b\u00a0c ", "a b c"),
        ("“a” ‘b’ – c — d… «e»", '"a" \'b\' - c - d... "e"'),
        ("a\x00\x07b\u200b", "ab"),
    ],
)
def test_an_sms_is_one_plain_line(text: str, clean: str) -> None:
    assert sanitize_sms(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>a</p>\n\n\n\nb  \nc", "a\n\nb\nc"),
        ("“a” – b", "“a” – b"),
        ("a &amp; <i>b</i>", "a & b"),
    ],
)
def test_a_push_message_keeps_lines_and_typography(text: str, clean: str) -> None:
    assert sanitize_push(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "**b** _i_ `c` [l](https://x.y) ![i](https://x.y/z.png)",
            "**b** _i_ `c` [l](https://x.y) ![i](https://x.y/z.png)",
        ),
        ("- a\n- b\n\n> c", "- a\n- b\n\n> c"),
        ("<b>a</b> <script>x</script>b <!channel>", "a b"),
        ("<https://x.y>", "https://x.y"),
        ("[a](javascript:alert(1))", "[a] (javascript:alert(1))"),
        ("[a]( JavaScript:alert(1))", "[a] ( JavaScript:alert(1))"),
        ("[a](&#106;avascript:alert(1))", "[a] (javascript:alert(1))"),
        ("[a](javascript\\:alert(1))", "[a] (javascript\\:alert(1))"),
        ("[a](data:text/html,x)", "[a] (data:text/html,x)"),
        ("[a]: javascript:x", "[a] : javascript:x"),
        ("your data: 5 GB, note [1]: yes", "your data: 5 GB, note [1]: yes"),
        ("[a](/path) [b](mailto:a@b.c)", "[a](/path) [b](mailto:a@b.c)"),
    ],
)
def test_a_chat_message_is_safe_markdown(text: str, clean: str) -> None:
    assert sanitize_chat(text) == clean


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH, Channel.CHAT])
def test_text_channels_carry_no_tags_whether_from_template_or_payload(channel: Channel) -> None:
    content = render("<b>{{ a }}</b> {{ b }}", {"a": "<i>x</i>", "b": "&lt;u&gt;y"}, channel=channel)

    assert content.body == "x y"


@given(TEXTS)
def test_nothing_like_a_tag_is_left_in_text(text: str) -> None:
    for sanitize in (sanitize_sms, sanitize_push, sanitize_chat, clean_subject):
        assert not TAG.search(sanitize(text))


@given(TEXTS)
def test_sanitising_text_again_changes_nothing(text: str) -> None:
    for sanitize in (sanitize_sms, sanitize_push, sanitize_chat, clean_subject):
        once = sanitize(text)
        assert sanitize(once) == once


@given(TEXTS)
def test_an_sms_and_a_subject_are_one_line(text: str) -> None:
    assert len(sanitize_sms(text).splitlines()) <= 1
    assert len(clean_subject(text).splitlines()) <= 1
