import pytest

from shared.notification.outcomes import RefusalCode
from tests.unit.rendering.builders import refusal, render


def test_an_undefined_variable_is_refused_with_template_line_and_name() -> None:
    refused = refusal("Hello\n\n{{ user.nickname }}", {"user": {"name": "Ann"}})

    assert refused.code == RefusalCode.TEMPLATE_UNDEFINED_VARIABLE
    assert refused.details == {"template": "welcome", "line": 3, "variable": "user.nickname"}
    assert refused.message == "Template welcome, line 3: variable user.nickname is undefined"


@pytest.mark.parametrize(
    "use",
    [
        "{{ missing }}",
        "{{ missing.inner }}",
        "{{ missing | upcase }}",
        "{{ 'x' | append: missing }}",
        "{{ missing | size }}",
        "{{ missing | json }}",
        "{{ missing | date: '%Y' }}",
        "{{ items | where: 'a', missing }}",
        "{{ items[missing] }}",
        "{% for x in missing %}{% endfor %}",
        "{% assign x = missing %}{{ x }}",
        "{% capture x %}{{ missing }}{% endcapture %}",
        "{% cycle missing, 'b' %}",
        "{% echo missing %}",
        "{% for i in (1..3) limit: missing %}{% endfor %}",
        "{% tablerow i in missing %}{% endtablerow %}",
        "{{ null_value.inner }}",
        "{{ text.inner }}",
        "{{ items[5] }}",
        "{{ now }}",
        "{{ today }}",
    ],
)
def test_every_use_of_an_undefined_variable_as_a_value_is_refused(use: str) -> None:
    variables = {"items": [{"a": 1}], "null_value": None, "text": "x"}

    refused = refusal(use, variables)

    assert refused.code == RefusalCode.TEMPLATE_UNDEFINED_VARIABLE
    assert refused.details["line"] == 1


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% if missing %}a{% else %}b{% endif %}", "b"),
        ("{% unless missing.inner %}a{% endunless %}", "a"),
        ("{% if missing == nil %}a{% endif %}", "a"),
        ("{% if missing == 'x' or true %}a{% endif %}", "a"),
        ("{% if missing > 5 %}a{% else %}b{% endif %}", "b"),
        ("{% if missing contains 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% case missing %}{% when 'x' %}a{% else %}b{% endcase %}", "b"),
        ("{{ missing | default: 'you' }}", "you"),
        ("{{ missing.inner.more | default: 'you' | upcase }}", "YOU"),
    ],
)
def test_conditions_and_default_may_ask_for_an_undefined_variable(template: str, text: str) -> None:
    assert render(template).body == text


def test_default_needs_its_own_argument_defined() -> None:
    assert refusal("{{ missing | default: other }}").details["variable"] == "other"


def test_null_is_defined_and_empty() -> None:
    assert render("[{{ name }}]", {"name": None}).body == "[]"


def test_a_looked_up_name_does_not_show_the_value_it_was_looked_up_by() -> None:
    refused = refusal("{{ prices[user.plan] }}", {"prices": {}, "user": {"plan": "secret-plan"}})

    assert refused.details["variable"] == "prices[user.plan]"
    assert "secret-plan" not in str(refused)


def test_a_variable_undefined_in_a_subject_is_refused() -> None:
    assert refusal("x", subject="{{ missing }}").code == RefusalCode.TEMPLATE_UNDEFINED_VARIABLE


def test_an_undefined_argument_is_the_including_templates_fault() -> None:
    refused = refusal(
        'one\n{% xnovu_render "greeting", name: user.nickname %}', {"user": {}}, included={"greeting": "Hi {{ name }}"}
    )

    assert (refused.details["template"], refused.details["line"]) == ("welcome", 2)
    assert refused.details["variable"] == "user.nickname"


def test_an_included_template_may_default_an_undefined_argument() -> None:
    content = render(
        '{% xnovu_render "greeting", name: user.nickname %}',
        {"user": {}},
        included={"greeting": "Hi {{ name | default: 'you' }}"},
    )

    assert content.body == "Hi you"


@pytest.mark.parametrize(
    "path", ["a.__class__", "a.__class__.__mro__", "text.upper", "a.items", "a.keys", "items.append"]
)
def test_attributes_and_methods_are_undefined(path: str) -> None:
    refused = refusal(f"{{{{ {path} }}}}", {"a": {}, "text": "x", "items": [1]})

    assert refused.code == RefusalCode.TEMPLATE_UNDEFINED_VARIABLE
