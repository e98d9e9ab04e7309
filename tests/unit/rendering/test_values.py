"""What a value says is text: in every channel, through every filter, in Liquid's words and never in Python's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import Channel
from tests.unit.rendering.builders import render
from worker.rendering.text_marks import mark_value, unmark

TEXT_CHANNELS = [Channel.SMS, Channel.PUSH, Channel.CHAT]
URL = "https://a.example/t?o=1&region=eu&copy=1&lt=2"
PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\u2028\u2029"), min_size=1)


def push(template: str, value: object = None, **others: Any) -> str:
    return render(template, {"v": value, **others}, channel=Channel.PUSH).body


@pytest.mark.parametrize("channel", TEXT_CHANNELS)
def test_an_address_is_what_it_was(channel: Channel) -> None:
    content = render("{{ v }}", {"v": URL}, channel=channel, subject="{{ v }}")

    assert (content.body, content.subject) == (URL, URL)


def test_an_emails_subject_line_keeps_an_address_and_a_name() -> None:
    content = render("Subject: {{ v }} from {{ name }}\nBody", {"v": URL, "name": "Jane <jane@x.example>"})

    assert content.subject == f"{URL} from Jane <jane@x.example>"


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
@pytest.mark.parametrize("value", ["a<b and c>d", "<b>x</b>", "&lt;b&gt; &amp;", "Jane <jane@x.example>", "<!--", '"'])
def test_a_value_is_no_markup(channel: Channel, value: str) -> None:
    content = render("<b>{{ v }}</b>", {"v": value}, channel=channel, subject="<i>{{ v }}</i>")

    assert (content.body, content.subject) == (value, value)


@pytest.mark.parametrize("channel", TEXT_CHANNELS)
def test_where_a_tag_was_words_do_not_run_together(channel: Channel) -> None:
    assert render("Verify: {{ v }}<br>See you", {"v": URL}, channel=channel).body == f"Verify: {URL}\nSee you"


def test_the_last_line_of_a_one_time_code_stays_alone() -> None:
    content = render("{{ v }} is your code.\n\n@x.example #{{ v }}", {"v": 747723}, channel=Channel.SMS)

    assert content.body == "747723 is your code.\n@x.example #747723"


def test_a_value_in_a_templates_own_tag_cannot_end_it() -> None:
    assert push("<a href=\"{{ v }}\">here</a> and 'there'", "x\" y='") == "here and 'there'"


@pytest.mark.parametrize("template", ["<{{ v }}>", "&lt;{{ v }}>"])
def test_the_templates_own_bracket_makes_no_tag_of_a_value(template: str) -> None:
    assert push(template, "jane@x.example") == "<jane@x.example>"
    assert push(template, "b") == "<b>"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% capture x %}<b>{{ v }}</b> &amp; co{% endcapture %}{{ x | size }} {{ x }}", "10 a<b>c & co"),
        ("{% capture x %}{{ v }}{% endcapture %}{% if x == v %}same{% endif %}", "same"),
        ("{% echo v %}{% cycle v, 'b' %}", "a<b>ca<b>c"),
        ("{% xnovu_render 'inner', w: v %}", "[a<b>c]"),
        ("{{ v | escape }} {{ v | escape_once }} {{ v | safe }}", "a<b>c a<b>c ac"),
        ("{{ v | append: '&region' | newline_to_br }}", "a<b>c&region"),
        ("{{ '*a*' | markdown_to_html }}!", "a\n!"),
        ("{{ '<b>' }}", "<b>"),
        ("{{ '&amp;region &copy;' | strip_html }} {{ '?a&region=1' | strip_html }}", "&region © ?a&region=1"),
        ("{{ '?a&region=1 &amp;' | escape_once }}", "?a&region=1 &"),
    ],
)
def test_whatever_writes_a_value_writes_text(template: str, text: str) -> None:
    included = {"inner": "<i>[{{ w }}]</i>"}

    assert render(template, {"v": "a<b>c"}, channel=Channel.PUSH, included=included).body == text


@given(PRINTABLE)
def test_printable_text_arrives_as_it_was(value: str) -> None:
    assert push("<p>{{ v }}</p>", value) == value


@given(st.text())
def test_marks_are_taken_off_again(value: str) -> None:
    text = "".join(character for character in value if not 0xFDD0 <= ord(character) <= 0xFDEF)

    assert unmark(mark_value(value)) == text
    assert not set(mark_value(value)) & set("<>&\"'")


OBJECT = {"a": None, "b": [True, 1.5]}
JSON = '{"a": null, "b": [true, 1.5]}'
WORDS: list[tuple[object, str]] = [
    (None, ""),
    (True, "true"),
    (False, "false"),
    (OBJECT, JSON),
    ([None, True, "x", [1, OBJECT]], f"truex1{JSON}"),
]
NUMBERS: list[tuple[object, str]] = [
    (2.0, "2.0"),
    (1e20, "100000000000000000000.0"),
    (1e-7, "0.0000001"),
    (-3, "-3"),
    (0.1, "0.1"),
]
OF_TEXT = [
    "{{ v }}",
    "{{ v | append: '' }}",
    "{{ '' | append: v }}",
    "{{ '' | prepend: v }}",
    "{{ v | strip }}",
    "{{ v | lstrip | rstrip }}",
    "{{ v | remove: '~' }}",
    "{{ v | replace: '~', '' }}",
    "{{ 'x' | replace: 'x', v }}",
    "{{ 'x' | replace_first: 'x', v }}",
    "{{ 'x' | replace_last: 'x', v }}",
    "{{ v | escape }}",
    "{{ v | escape_once }}",
    "{{ v | strip_html }}",
    "{{ v | strip_newlines }}",
    "{{ v | newline_to_br }}",
    "{{ v | truncate: 500 }}",
    "{{ v | truncatewords: 500 }}",
    "{{ 'abcd' | truncate: 0, v }}",
    "{{ v | url_encode | url_decode }}",
    "{{ v | base64_encode | base64_decode }}",
    "{{ v | slice: 0, 500 | join: '' }}",
    "{{ v | split: '~' | join: '' }}",
    "{{ v | html_to_text }}",
    "{{ v | date: '' }}",
    "{% assign x = v %}{% capture y %}{{ x }}{% endcapture %}{{ y }}",
    "{% echo v %}",
    "{% cycle v %}",
]


@pytest.mark.parametrize("template", OF_TEXT)
@pytest.mark.parametrize(("value", "text"), WORDS + NUMBERS)
def test_pythons_words_reach_nobody(template: str, value: object, text: str) -> None:
    assert push(f"[{template}]", value) == f"[{text}]"


@pytest.mark.parametrize(("value", "text"), WORDS)
def test_nor_do_they_in_an_html_channel(value: object, text: str) -> None:
    assert render("[{{ v | append: '' }}]", {"v": value}).body == f"[{text}]"


def test_members_of_lists_are_written_alike() -> None:
    values = [None, True, 2.0, "x", OBJECT]

    assert push("{{ v | join: ',' }}", values) == f",true,2.0,x,{JSON}"
    assert push("{{ v | map: 'a' | join: ',' }}", [{"a": True}, {}, None, {"a": None}]) == "true,,,"


@pytest.mark.parametrize("write", ["{{ forloop }}", "{{ forloop | strip }}", "{{ empty }}", "{{ blank | append: '' }}"])
def test_what_is_no_data_is_written_as_nothing(write: str) -> None:
    assert push(f"[{{% for i in v %}}{write}{{{{ i }}}}{{% endfor %}}]", [7, 8]) == "[78]"
    assert "TableRow" not in push("{% tablerow i in v %}{{ tablerowloop }}{% endtablerow %}", [7])


def test_an_argument_that_is_null_is_nothing() -> None:
    assert push('{{ "Dear " | append: v }}!') == "Dear !"
    assert push("[{{ v | join: ', ' }}]") == "[]"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 2.5 | round }}", "3"),
        ("{{ 2.675 | round: 2 }}", "2.68"),
        ("{{ -2.5 | round }}", "-3"),
        ("{{ 1.005 | times: 100 }}", "100.5"),
        ("{{ 0.1 | plus: 0.2 }}", "0.3"),
        ("{{ 1.1 | minus: 1 }}", "0.1"),
        ("{{ 19.99 | times: 3 }}", "59.97"),
        ("{{ 7 | divided_by: 2 }} {{ 7 | divided_by: 2.0 }} {{ -7 | divided_by: 2 }}", "3 3.5 -4"),
        ("{{ 10 | divided_by: 3.0 | round: 2 }}", "3.33"),
        ("{{ 1234 | round: -2 }}", "1200"),
        ("{{ '2.675' | round: 2 }}", "2.68"),
        ("{{ 1.2 | ceil }} {{ -1.2 | ceil }} {{ 1.8 | floor }} {{ -1.2 | floor }}", "2 -1 1 -2"),
        ("{{ -7 | modulo: 3 }} {{ -7.5 | modulo: 2 }}", "2 0.5"),
        ("{{ '12abc' | plus: 1 }} {{ 'x' | plus: 1 }} {{ true | plus: 1 }} {{ nil | plus: 1 }}", "13 1 1 1"),
        ("{{ v | sum }} {{ w | sum: 'n' }}", "0.6 3"),
        ("{{ 1000000000000000000 | times: 100 | plus: 0.5 }}", "100000000000000000000.0"),
        ("{{ 5 | at_least: 5.5 }} {{ 5 | at_most: 4 }} {{ -1.50 | abs }}", "5.5 4 1.5"),
    ],
)
def test_arithmetic_is_in_decimals_and_rounds_half_up(template: str, text: str) -> None:
    assert push(template, [0.1, 0.2, 0.3], w=[{"n": 1}, {}, {"n": 2}]) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ v | sort: 'p' | map: 'n' | join }}", "2 1 3"),
        ("{{ v | sort_natural: 'p' | map: 'n' | join }}", "2 1 3"),
        ("{{ w | sort | join }}", "1 1 2.5 10 a b true "),
        ("{{ v | where: 'q', true | map: 'n' | join }}", "3"),
        ("{{ v | where: 'n' | size }} {{ v | reject: 'p' | size }} {{ v | has: 'p', 7 }}", "3 1 true"),
        ("{{ v | find: 'n', 2 | json }} {{ v | find_index: 'n', 3 }}", '{"p": 5, "n": 2, "q": 1} 2'),
        ("{{ w | uniq | size }} {{ w | compact | size }}", "7 7"),
        ("{{ nothing | concat: w | size }} {{ w | concat: nothing | size }}", "8 8"),
        ("{{ '' | first }}{{ w.size }}", "8"),
    ],
)
def test_lists_with_holes_and_mixed_items_are_no_fault(template: str, text: str) -> None:
    items = [{"p": 7, "n": 1}, {"p": 5, "n": 2, "q": 1}, {"n": 3, "q": True}]
    mixed = ["b", 10, None, True, 2.5, "a", 1, 1]

    assert push(f"[{template}]", items, w=mixed, nothing=None) == f"[{text}]"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'abcdefghij' | truncate: 2 }}", "..."),
        ("{{ 'abcdefghij' | truncate: 5 }}", "ab..."),
        ("{{ 'abcdefghij' | truncate: 10 }}", "abcdefghij"),
        ("{{ 'abcdefghij' | truncate: 5, '' }}", "abcde"),
        ("{{ 'a  b c' | truncatewords: 3 }}", "a  b c"),
        ("{{ 'a  b c' | truncatewords: 2 }}", "a b..."),
        ("{{ 'abc' | slice: -2, 2 }} {{ 'abc' | slice: 1 }} [{{ 'abc' | slice: -5, 3 }}]", "bc b []"),
        ("{{ 'a-b-c' | remove_last: '-' }} {{ 'abc' | replace_last: 'a', 'x' }}", "a-bc xbc"),
    ],
)
def test_text_is_cut_as_liquid_cuts_it(template: str, text: str) -> None:
    assert push(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'To ' | append: v | truncate: 6, '' }}", "To A &amp;"),
        ("{{ 'To ' | append: v | size }}", "8"),
        ("{{ 'To ' | append: v | replace: '&', 'and' }}", "To A and B"),
        ("{{ 'To ' | append: v | slice: 5 }}", "&amp;"),
        ("{{ 'To ' | append: v | split: ' ' | last }}", "B"),
        ("{{ 'To ' | append: v | upcase }}", "TO A &amp; B"),
        ("{{ 'To ' | append: v | url_encode }}", "To+A+%26+B"),
        ("{{ 'To ' | append: v | append: '<br>' }}", "To A &amp; B<br>"),
        ("{{ v | escape | append: '&nbsp;' }}", "A &amp; B&nbsp;"),
        ("{{ w | replace: '&lt;', '(' }}", "(b>"),
    ],
)
def test_in_an_html_channel_filters_read_text_and_no_entities(template: str, text: str) -> None:
    assert render(template, {"v": "A & B", "w": "&lt;b>"}).body.replace("(b&gt;", "(b>") == text
