import html
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rendering.test_html_sanitizing import HTML
from worker.rendering.plain_text import sanitize_push, sanitize_sms
from worker.rendering.subject import clean_subject

TEXTS = HTML | st.text() | HTML.map(html.escape) | st.text(alphabet="&#;<>amplt38b \n[](:j", max_size=60)
TAG = re.compile(r"</?[a-zA-Z!?]")
LONE_BRACKETS = re.compile("<+(?=<)")
"""They begin no tag, and stay where the tag behind them goes: a browser shows `<<b>i>` as `<i>`, too."""

RAW_TEXT = re.compile("textarea|xmp|plaintext|noscript|iframe|noembed|noframes|svg|math", re.IGNORECASE)
"""Elements whose content is no markup."""

ADDRESS = re.compile(r"<(?:https?:|mailto:|\S+@)[^<>\s]*>", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>Hello <b>Ann</b></p>", "Hello Ann"),
        ("a &amp; b &lt; c &#8364;", "a & b < c €"),
        ("5 < 6 & 7 > 3, I <3 you", "5 < 6 & 7 > 3, I <3 you"),
        ("&lt;b&gt;a&lt;/b&gt;", "<b>a</b>"),
        ("&amp;amp;lt;b", "&amp;lt;b"),
        ("<script>x</script>a<style>y</style><title>z</title>", "a"),
        ("  a \n\n\t b\u00a0c ", "a\nb c"),
        ("“a” ‘b’ – c — d… «e»", '"a" \'b\' - c - d... "e"'),
        ("a\x00\x07b\u200b\u202ec", "abc"),
        ("https://a.example/t?o=1&region=eu&copy=2", "https://a.example/t?o=1&region=eu&copy=2"),
        ("a<br>b<br />\nc", "a\nb\nc"),
        ("Hello<p>World</p>!<div>a</div>\n<div>b</div>", "Hello\nWorld\n!\na\nb"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        (
            "Write to <help@x.example> or <https://x.example/?a=1&lt=2>",
            "Write to <help@x.example> or <https://x.example/?a=1&lt=2>",
        ),
        ("747723 is your code.\n\n@x.example #747723", "747723 is your code.\n@x.example #747723"),
    ],
)
def test_an_sms_is_plain_lines(text: str, clean: str) -> None:
    assert sanitize_sms(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<p>a</p>\n\n\n\nb  \nc", "a\n\nb\nc"),
        ("“a” – b", "“a” – b"),
        ("a &amp; <i>b</i>", "a & b"),
        ("a<br><br>b", "a\n\nb"),
        ("a\u2028b\r\nc\rd", "a\nb\nc\nd"),
    ],
)
def test_a_push_message_keeps_lines_and_typography(text: str, clean: str) -> None:
    assert sanitize_push(text) == clean


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a <b>b</b><br>c", "a b c"),
        ("a\u202eb\u2066c\u200fd\u061c", "abcd"),
        ("=?utf-8?B?SGk=?= =?x?q?a?=", "= ?utf-8?B?SGk=?= = ?x?q?a?="),
        ("is 1=?2 so", "is 1=?2 so"),
    ],
)
def test_a_subject_is_one_line_that_says_what_it_shows(text: str, line: str) -> None:
    assert clean_subject(text) == line


@pytest.mark.parametrize("sanitize", [sanitize_sms, sanitize_push, clean_subject])
@given(text=TEXTS)
def test_the_templates_own_text_leaves_no_tag_unless_by_an_entity(sanitize: Callable[[str], str], text: str) -> None:
    text = LONE_BRACKETS.sub("", RAW_TEXT.sub("b", text.replace("&", "+")))

    assert not TAG.search(ADDRESS.sub("", sanitize(text)))


@given(TEXTS)
def test_a_subject_is_one_line(text: str) -> None:
    assert len(clean_subject(text).splitlines()) <= 1
