import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import Channel
from tests.unit.rendering.builders import render
from tests.unit.rendering.test_html_sanitizing import HTML
from worker.rendering.chat_text import sanitize_chat

TAG_OR_CALL = re.compile(r"<[a-zA-Z/!?@#]")
ADDRESS = re.compile(r"<(?:https?:|mailto:|\S+@)[^<>\s]*>", re.IGNORECASE)
VALUES = HTML | st.text() | HTML.map(html.escape) | st.text(alphabet="<>@!#&;ab`~\n[]():/\t", max_size=80)


def chat(template: str, value: str = "") -> str:
    return render(template, {"v": value}, channel=Channel.CHAT).body


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "**b** _i_ `c` [l](https://x.y) ![i](https://x.y/z.png)",
            "**b** _i_ `c` [l](https://x.y) ![i](https://x.y/z.png)",
        ),
        ("- a\n- b\n\n> c", "- a\n- b\n\n> c"),
        ("<b>a</b> <script>x</script>b <!channel>", "a b"),
        ("<https://x.y> <help@x.example>", "<https://x.y> <help@x.example>"),
        ("run `git log <branch>` and ``a ` <b>``", "run `git log <branch>` and ``a ` <b>``"),
        ("```sh\ngit log <branch> &amp; `\n```\n<b>x</b>", "```sh\ngit log <branch> &amp; `\n```\nx"),
        ("`a <b>x</b>\n`", "`a x\n`"),
        ("\\`<b>x</b>`", "\\`x`"),
        ("[a](javascript:alert(1))", "[a] (javascript:alert(1))"),
        ("[a]( JavaScript:alert(1))", "[a] ( JavaScript:alert(1))"),
        ("[a](&#106;avascript:alert(1))", "[a] (javascript:alert(1))"),
        ("[a](javascript\\:alert(1))", "[a] (javascript\\:alert(1))"),
        ("[a](data:text/html,x)", "[a] (data:text/html,x)"),
        ("[a]: javascript:x", "[a] : javascript:x"),
        ("your data: 5 GB, note [1]: yes", "your data: 5 GB, note [1]: yes"),
        ("[a](/path) [b](mailto:a@b.c)", "[a](/path) [b](mailto:a@b.c)"),
        ("hi <@U123>", "hi <@U123>"),
        ("a &lt;b&gt; c", "a < b> c"),
    ],
)
def test_a_chat_message_is_safe_markdown(text: str, clean: str) -> None:
    assert chat(text) == clean


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("https://a.example/t?o=1&region=eu", "https://a.example/t?o=1&region=eu"),
        ("Jane <jane@x.example>", "Jane <jane@x.example>"),
        ("`git log <branch>`", "`git log <branch>`"),
        ("5 < 6 &amp; &#106;", "5 < 6 &amp; &#106;"),
        ("<@U123>", "< @U123>"),
        ("<!channel> <#C1> <!subteam^S1>", "< !channel> < #C1> < !subteam^S1>"),
        ("`<!channel>`", "`< !channel>`"),
        ("```\n<@U1> <b>\n```", "```\n< @U1> <b>\n```"),
        ("<script>x</script>", "< script>x< /script>"),
        ("[x](java\tscript:alert(1))", "[x] (java\tscript:alert(1))"),
        ("@everyone @Here, bob@here.example @allan", "@ everyone @ Here, bob@here.example @allan"),
        ("`@all`", "`@all`"),
        ("`\n<script>`", "`\n< script>`"),
        ("~~~\n```\n~~~\n<script>\n```", "~~~\n```\n~~~\n< script>\n```"),
        ("- ```\n  code\n  ```\n<script>\n```", "- ```\n  code\n  ```\n< script>\n```"),
        ("<javascript:alert(1)>", "< javascript:alert(1)>"),
        ("[x](< java\tscript:alert(1)>)", "[x] (< java\tscript:alert(1)>)"),
        ("[x](<java\tscript:alert(1)>)", "[x] (< java\tscript:alert(1)>)"),
        ("[x](javascript&colon;alert(1))", "[x] (javascript&colon;alert(1))"),
        ("[x](&#x6a;avascript:alert(1))", "[x] (&#x6a;avascript:alert(1))"),
        ("[x]:\n<vbscript:y>", "[x] :\n< vbscript:y>"),
    ],
)
def test_a_value_is_text_and_calls_nobody(value: str, clean: str) -> None:
    assert chat("{{ v }}", value) == clean


def test_code_around_a_value_keeps_it() -> None:
    assert chat("Run `{{ v }}`.", "git log <branch> && ls") == "Run `git log <branch> && ls`."


@pytest.mark.parametrize("value", ["!channel", "script"])
def test_the_templates_own_bracket_makes_no_tag_and_no_call_of_a_value(value: str) -> None:
    assert chat("<{{ v }}>", value) == f"< {value}>"


def test_the_templates_own_brackets_make_an_address_of_a_value() -> None:
    assert chat("<{{ v }}> <mailto:{{ v }}>", "a@x.example") == "<a@x.example> <mailto:a@x.example>"


def test_a_call_written_by_the_template_stays() -> None:
    assert chat("<@{{ v }}> @here", "U123") == "<@U123> @here"


@given(VALUES)
def test_outside_code_no_value_opens_a_tag(value: str) -> None:
    value = value.replace("`", "'").replace("~", "-")

    assert not TAG_OR_CALL.search(ADDRESS.sub("", sanitize_chat(html.escape(value))))
    assert not TAG_OR_CALL.search(ADDRESS.sub("", chat("{{ v }}", value[:500])))


@given(VALUES)
def test_in_code_too_nobody_is_called(value: str) -> None:
    assert not re.search("<[@!#]", ADDRESS.sub("", chat("{{ v }}", value[:500])))
