import pytest

from shared.notification.outcomes import RefusalCode
from tests.unit.rendering.builders import refusal


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("\n{{ a | }}", 2),
        ("\n\n{% unknown %}", 3),
        ("{% if %}{% endif %}", 1),
        ("{% if a %}\n", 1),
        ("a\n{{ a", 2),
        ("a\n{% for x y %}{% endfor %}", 2),
        ("{% endif %}", 1),
        ("{% raw %}", 1),
        ("a\n{% break %}", 2),
    ],
)
def test_a_syntax_error_is_refused_with_template_and_line(template: str, line: int) -> None:
    refused = refusal(template)

    assert refused.code == RefusalCode.TEMPLATE_INVALID
    assert (refused.details["template"], refused.details["line"]) == ("welcome", line)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("\n{% if a &gt; 2 %}{% endif %}", "`&gt;` is an editor's entity"),
        ("\n{{ a | date: &#39;%Y&#39; }}", "`&#39;` is an editor's entity"),
        ("\n{{&nbsp;a }}", "`&nbsp;` is an editor's entity"),
        ("\n{{ a &region; }}", "unexpected '&'"),
        ("\n{{ a | default: “x” }}", "`“` is a typographic quote"),
        ('\n{{ a | default: "x” }}', "`”` is a typographic quote"),
        ("\n{% xnovu_render ‘x’ %}", "`‘` is a typographic quote"),
        ("\n{{{ a }}}", "`{{{`: write `{{`"),
        ("\n{{ a\u00a0| upcase }}", "an unusual space (U+00A0)"),
        ("\n{% if a && b %}{% endif %}", "unexpected '&'"),
        ("\n{% if a = 2 %}{% endif %}", "found '='"),
        ("{% if a %}\n{% else if n == 2 %}{% endif %}", "did you mean 'elsif'?"),
        ("{% unless a %}\n{% else if n == 2 %}{% endunless %}", "did you mean 'elsif'?"),
        ("{% case a %}{% when 1 %}\n{% else if n == 2 %}{% endcase %}", "`else` takes nothing behind it"),
        ("{% for i in a %}\n{% else n %}{% endfor %}", "`else` takes nothing behind it"),
        ("{% if a %}\n{% endif n %}", "`endif` takes nothing behind it"),
        ("{% if a %}{% else %}\n{% elsif b %}{% endif %}", "`elsif` behind `else` is never reached"),
        ("{% case a %}\n{% when 1 n %}{% endcase %}", "unexpected token"),
    ],
)
def test_a_syntax_error_names_its_culprit_and_line(template: str, words: str) -> None:
    refused = refusal(template, {"a": 1, "b": 1, "n": 2})

    assert (refused.code, refused.details["line"]) == (RefusalCode.TEMPLATE_INVALID, 2)
    assert words in refused.message


def test_an_unknown_filter_is_refused_by_name() -> None:
    refused = refusal("\n{{ 'x' | shout }}")

    assert refused.code == RefusalCode.TEMPLATE_INVALID
    assert refused.details == {"template": "welcome", "line": 2, "filter": "shout"}


@pytest.mark.parametrize(
    ("template", "filter_name"),
    [
        ("{{ secret | divided_by: 0 }}", "divided_by"),
        ("{{ secret | slice: 'seventeen' }}", "slice"),
        ("{{ secret | upcase: 1, 2, 3 }}", "upcase"),
        ("{{ secret | truncate: 'seventeen' }}", "truncate"),
        ("{{ list | map: 'a' | concat: secret }}", "concat"),
        ("{{ secret | base64_decode }}", "base64_decode"),
        ("{{ 'now' | date: '%Y' }}", "date"),
        ("{{ secret | json: 99 }}", "json"),
    ],
)
def test_a_filter_refuses_a_wrong_value_without_showing_it(template: str, filter_name: str) -> None:
    refused = refusal(template, {"secret": "secret value", "list": [1]})

    assert refused.code == RefusalCode.TEMPLATE_INVALID
    assert refused.details["filter"] == filter_name
    assert "secret value" not in str(refused)
    assert "seventeen" not in str(refused)


@pytest.mark.parametrize(
    "value",
    ["\ud800", 10**5000, float("inf"), [float("nan")], {"a": float("nan")}],
    ids=["lone surrogate", "5001 digits", "infinity", "nan in a list", "nan in JSON"],
)
def test_a_value_that_is_no_text_is_refused(value: object) -> None:
    assert refusal("{{ value }}", {"value": value}).code == RefusalCode.TEMPLATE_INVALID


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'my own words' | shout }}",
        "my own words {{ missing }}",
        "{% my-own-words and more %}",
        "{% if 'my own words' ~ a %}{% endif %}",
        "{{ 'my own words' 'my own words' }}",
        "{% liquid\n 'my own words' \n%}",
        "{% cycle %}my own words",
        "{{ a | replace: 'my own words', }}{{ 'my own words",
    ],
)
def test_no_refusal_quotes_the_template(template: str) -> None:
    assert "own words" not in str(refusal(template))
