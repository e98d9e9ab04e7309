import pytest

from shared.notification.models import Channel
from shared.notification.outcomes import RefusalCode
from tests.unit.rendering.builders import a_template, refusal, render
from worker.rendering.renderer import render_channel


@pytest.mark.parametrize(
    "include",
    [
        '{% xnovu_render "greeting", name: "you", city: user.city %}',
        "{% xnovu_render 'greeting', name: 'you', city: user.city %}",
        "{%- xnovu_render 'greeting' name: 'you' city: user['city'] -%}",
        "{{ xnovu_render('greeting', {name: 'you', city: user.city}) }}",
        '{{xnovu_render("greeting",{"name":"you","city":user.city})}}',
        "{{- xnovu_render( 'greeting', { name: 'you',\n city: user['city'], } ) -}}",
    ],
)
def test_both_spellings_include_a_template_with_its_arguments(include: str) -> None:
    content = render(include, {"user": {"city": "Rome"}}, included={"greeting": "Hi {{ name }} in {{ city }}"})

    assert content.body == "Hi you in Rome"


def test_the_older_spelling_takes_nested_objects_lists_and_literals() -> None:
    include = "{{ xnovu_render('row', {a: {b: {c: user.city}}, l: [1, 'x', user.city, [true]], n: -2.5, z: nil}) }}!"

    content = render(
        include,
        {"user": {"city": "Rome"}},
        included={"row": "{{ a.b.c }} {{ l[1] }} {{ l[2] }} {{ l[3][0] }} {{ n }} [{{ z }}]"},
    )

    assert content.body == "Rome x Rome true -2.5 []!"


@pytest.mark.parametrize(
    "call", ["{{ xnovu_render('row') }}", "{{ xnovu_render('row', {}) }}", "{% xnovu_render 'row' %}"]
)
def test_an_include_needs_no_arguments(call: str) -> None:
    assert render(call, {"x": "1"}, included={"row": "{{ x }}"}).body == "1"


def test_what_follows_a_call_with_nested_objects_is_kept() -> None:
    template = "a {{ xnovu_render('row', {a: {b: 1}}) }} b {{ xnovu_render('row', {a: {b: 2}}) -}}  c {{ x }} }} d"

    assert render(template, {"x": "y"}, included={"row": "{{ a.b }}"}).body == "a 1 b 2c y }} d"


def test_line_numbers_are_right_after_a_call_over_several_lines() -> None:
    refused = refusal("{{ xnovu_render('row', {a:\n {b: 1}}) }}\n{{ missing }}", included={"row": "x"})

    assert refused.details["line"] == 3


def test_an_undefined_value_deep_in_a_call_is_named_with_its_line() -> None:
    refused = refusal("{{ xnovu_render('row', {a:\n {b: user.c}}) }}", {"user": {}}, included={"row": "{{ a.b }}"})

    assert (refused.details["line"], refused.details["variable"]) == (2, "user.c")


@pytest.mark.parametrize(
    "quoted",
    [
        "{% raw %}{{ xnovu_render('row', {a: {b: 1}}) }}{% endraw %}",
        "{% raw %}{% xnovu_render 'row' %}{% endraw %}",
    ],
)
def test_an_include_in_a_raw_block_is_text(quoted: str) -> None:
    assert "xnovu_render(" in render(quoted).body or "{% xnovu_render" in render(quoted).body


def test_an_include_in_a_comment_is_nothing() -> None:
    assert render("a{% comment %}{{ xnovu_render('row', {a: {b: 1}}) }}{% endcomment %}b").body == "ab"


def test_arguments_win_over_the_surrounding_variables_which_stay_visible() -> None:
    content = render(
        "{% assign local = 'l' %}{% xnovu_render 'row', name: 'argument' %} {{ name }}",
        {"name": "payload", "other": "o"},
        included={"row": "{{ name }} {{ other }} {{ local }}"},
    )

    assert content.body == "argument o l payload"


def test_assignments_stay_inside_the_included_template() -> None:
    content = render("{% xnovu_render 'row' %}{{ x }}", {"x": "out"}, included={"row": "{% assign x = 'in' %}{{ x }} "})

    assert content.body == "in out"


def test_an_include_sees_the_loop_around_it() -> None:
    content = render("{% for i in (1..3) %}{% xnovu_render 'row' %}{% endfor %}", included={"row": "{{ i }};"})

    assert content.body == "1;2;3;"


def test_included_text_is_not_escaped_twice() -> None:
    content = render(
        "{% capture all %}{% xnovu_render 'row' %}{% endcapture %}{{ all }}",
        {"x": "<&"},
        included={"row": "<b>{{ x }}</b>"},
    )

    assert content.body == "<b>&lt;&amp;</b>"


def test_a_template_of_another_channel_may_be_included() -> None:
    row = a_template("{{ x }}", key="row", channel=Channel.SMS)

    content = render_channel(Channel.EMAIL, a_template("{% xnovu_render 'row' %}"), {"row": row}, {"x": "<"})

    assert content.body == "&lt;"


def test_an_included_template_that_is_not_there_is_refused() -> None:
    refused = refusal("\n{% xnovu_render 'gone' %}")

    assert refused.code == RefusalCode.TEMPLATE_NOT_FOUND
    assert refused.details == {"template": "welcome", "line": 2, "included": "gone"}


def test_a_cycle_is_refused_and_names_the_chain() -> None:
    refused = refusal(
        "{% xnovu_render 'a' %}", included={"a": "{% xnovu_render 'b' %}", "b": "\n{% xnovu_render 'a' %}"}
    )

    assert refused.code == RefusalCode.TEMPLATE_INCLUDE_CYCLE
    assert refused.details == {"template": "b", "line": 2, "chain": ["welcome", "a", "b", "a"]}
    assert "welcome -> a -> b -> a" in refused.message


def test_a_template_including_itself_is_a_cycle() -> None:
    assert refusal("{% xnovu_render 'welcome' %}").code == RefusalCode.TEMPLATE_INCLUDE_CYCLE


@pytest.mark.parametrize(
    ("channel", "depth"),
    [(Channel.EMAIL, 10), (Channel.IN_APP, 5), (Channel.SMS, 3), (Channel.PUSH, 10), (Channel.CHAT, 10)],
)
def test_includes_nest_as_deep_as_the_channel_allows_and_no_deeper(channel: Channel, depth: int) -> None:
    chain = {f"t{n}": f"{{% xnovu_render 't{n + 1}' %}}" for n in range(1, 20)}

    deepest = render("{% xnovu_render 't1' %}", channel=channel, included={**chain, f"t{depth}": "end"})
    too_deep = refusal("{% xnovu_render 't1' %}", channel=channel, included={**chain, f"t{depth + 1}": "end"})

    assert deepest.body == "end"
    assert (too_deep.code, too_deep.details["limit"]) == (RefusalCode.TEMPLATE_LIMIT_EXCEEDED, "include_depth")


def test_an_error_in_an_included_template_names_it_its_line_and_the_chain() -> None:
    refused = refusal("a\nb\n{% xnovu_render 'row' %}", included={"row": "{{ x }}"})

    assert refused.details == {"template": "row", "line": 1, "variable": "x", "chain": ["welcome", "row"]}


@pytest.mark.parametrize(
    "broken",
    [
        "{% xnovu_render %}",
        "{% xnovu_render greeting %}",
        "{% xnovu_render 'greeting', name %}",
        "{% xnovu_render 'greeting', name: %}",
        "{{ xnovu_render('greeting', {name: }) }}",
        "{{ xnovu_render('greeting' }}",
        "{{ xnovu_render('greeting', {a: [1, 2}) }}",
        "{{ xnovu_render('greeting', {a: 1}) | upcase }}",
        "{{ xnovu_render('greeting', {a: {b: 1}}) x }}",
        "{{ xnovu_render(greeting) }}",
        "{{ xnovu_render('greeting', " + "{a: " * 50 + "1" + "}" * 50 + ") }}",
    ],
)
def test_a_malformed_include_is_a_syntax_error_with_its_line(broken: str) -> None:
    refused = refusal("\n" + broken, included={"greeting": "x"})

    assert refused.code == RefusalCode.TEMPLATE_INVALID
    assert refused.details["line"] == 2


@pytest.mark.parametrize("tag", ["include", "render"])
def test_liquids_own_ways_to_include_are_not_there(tag: str) -> None:
    assert refusal(f"{{% {tag} 'greeting' %}}", included={"greeting": "x"}).code == RefusalCode.TEMPLATE_INVALID
