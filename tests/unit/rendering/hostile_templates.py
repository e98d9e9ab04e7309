"""Templates written to bring a renderer down, by what they try."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_BIG = "x" * 200_000
_TEN = "'aaaaaaaaaa'"
_UP = 9_999


@dataclass(frozen=True, slots=True)
class Attack:
    """A template body, the payload that goes with it, and the bodies of what it includes."""

    body: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    included: Mapping[str, str] = field(default_factory=dict)


ATTACKS: Mapping[str, Attack] = {
    # Filters that multiply
    "chained replace": Attack("{{ " + _TEN + f" | replace: 'a', {_TEN}" * 9 + " }}"),
    "replace in steps": Attack(f"{{% assign a = {_TEN} %}}" + f"{{% assign a = a | replace: 'a', {_TEN} %}}" * 10),
    "replace of nothing": Attack("{{ a | replace: '', a }}", {"a": _BIG}),
    "append doubling": Attack("{% assign a = 'xxxx' %}" + "{% assign a = a | append: a %}" * 40),
    "capture doubling": Attack("{% assign a = 'xxxx' %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 40),
    "concat doubling": Attack("{% assign l = a | split: ',' %}" + "{% assign l = l | concat: l %}" * 40, {"a": "a,b"}),
    "join of copies": Attack(
        "{% assign l = a | split: '|' %}" + "{% assign l = l | concat: l %}" * 14 + "{{ l | join: a }}",
        {"a": "y" * 100_000},
    ),
    "join of lists in a list": Attack("{{ l | join: a }}", {"a": _BIG, "l": [[1] * 9_000]}),
    "replace in what an object is written as": Attack(
        "{{ l | replace: 'null', a }}", {"a": _BIG, "l": [{"k": None}] * 5_000}
    ),
    "join by a giant": Attack("{{ (1..9999) | join: a }}", {"a": _BIG}),
    "split into letters": Attack("{% assign l = a | split: '' %}{{ l | size }}", {"a": _BIG}),
    "encoding chain": Attack("{{ a" + " | url_encode" * 20 + " }}", {"a": "%" * 100_000}),
    "base64 chain": Attack("{{ a" + " | base64_encode" * 40 + " }}", {"a": "%" * 1_000}),
    "json chain": Attack("{{ a" + " | json" * 40 + " }}", {"a": '"\\'}),
    "line breaks": Attack("{{ a | newline_to_br | newline_to_br }}", {"a": "\n" * 100_000}),
    "quadratic uniq": Attack("{{ l | uniq | size }}", {"l": [str(n) for n in range(9_000)]}),
    "sorting all day": Attack(
        "{% for i in (1..9999) %}{{ l | sort | size }}{% endfor %}", {"l": ["a" * 500 + str(n) for n in range(400)]}
    ),
    "stripping all day": Attack(
        "{% for i in (1..9999) %}{{ a | strip_html | size }}{% endfor %}", {"a": "<!--" * 20_000}
    ),
    "markdown brackets": Attack("{{ a | markdown_to_html }}", {"a": "[" * 50_000}),
    "markdown images": Attack("{{ a | markdown_to_html }}", {"a": "![" * 25_000}),
    # Numbers
    "squaring": Attack("{% assign a = 99999999999 %}" + "{% assign a = a | times: a %}" * 40),
    "4,000 digits": Attack("{{ n | times: n }}", {"n": 10**4_000}),
    "5,000 digits": Attack("{{ n }}", {"n": 10**5_000}),
    # Ranges
    "range in a loop": Attack("{% for i in (1..999999999) %}{% endfor %}"),
    "range reversed": Attack("{% for i in (1..999999999) reversed %}x{% endfor %}"),
    "range assigned": Attack("{% assign r = (1..999999999) %}{% for i in r reversed %}{% endfor %}"),
    "range joined": Attack("{{ (1..99999999) | join: ',' }}"),
    "range turned round": Attack("{{ (1..99999999) | reverse | size }}"),
    "range sorted": Attack("{{ (1..99999999) | sort }}"),
    "range in a table": Attack("{% tablerow i in (1..1000000000) reversed %}x{% endtablerow %}"),
    "range searched": Attack("{% if (1..999999999999999) contains 'x' %}{% endif %}"),
    "range searched often": Attack("{% for i in (1..9999) %}{% if (1..9999) contains 'x' %}{% endif %}{% endfor %}"),
    "range beyond words": Attack("{{ (1..99999999999999999999999999999) | size }}"),
    "range by payload": Attack("{% for i in (1..n) %}{% endfor %}", {"n": 10**30}),
    "range in case": Attack("{% case (1..999999999) %}{% when 1 %}{% endcase %}"),
    # Loops
    "nested loops": Attack(f"{{% for i in (1..{_UP}) %}}{{% for j in (1..{_UP}) %}}{{% endfor %}}{{% endfor %}}"),
    "four loops": Attack("".join(f"{{% for {n} in (1..99) %}}" for n in "abcd") + "x" + "{% endfor %}" * 4),
    "loops in a row": Attack(
        f"{{% for i in (1..{_UP}) %}}{{{{ i | times: i | append: 'x' | size }}}}{{% endfor %}}" * 200
    ),
    "empty blocks": Attack(f"{{% for i in (1..{_UP}) %}}" + "{% if true %}{% endif %}" * 400 + "{% endfor %}"),
    "counting": Attack(f"{{% for i in (1..{_UP}) %}}{{% increment x %}}{{% decrement y %}}{{% endfor %}}" * 30),
    "nested tables": Attack(
        "{% tablerow i in (1..9999) cols: 1 %}{% tablerow j in (1..9999) %}{% endtablerow %}{% endtablerow %}"
    ),
    "cycle groups kept": Attack(
        f"{{% for i in (1..{_UP}) %}}{{% assign k = a | append: i %}}{{% cycle k: 'a', 'b' %}}{{% endfor %}}",
        {"a": "y" * 20_000},
    ),
    "cycle of giants": Attack("{% cycle " + ", ".join(["a"] * 1_500) + " %}", {"a": _BIG}),
    "unchanged giants": Attack(
        f"{{% for i in (1..{_UP}) %}}{{% ifchanged %}}{{{{ a }}}}{{% endifchanged %}}{{% endfor %}}",
        {"a": _BIG[:90_000]},
    ),
    "giant read all day": Attack(f"{{% for i in (1..{_UP}) %}}{{{{ a | upcase | size }}}}{{% endfor %}}", {"a": _BIG}),
    "many variables": Attack("".join(f"{{% assign v{n} = a %}}" for n in range(4_900)), {"a": "x" * 1_000}),
    # Nesting
    "deep blocks": Attack("{% if true %}" * 2_000 + "{% endif %}" * 2_000),
    "deep brackets": Attack("{{ " + "a[" * 2_000 + "b" + "]" * 2_000 + " }}"),
    "deep brackets in a tag's length": Attack("{{ " + "a[" * 1_200 + "b" + "]" * 1_200 + " }}"),
    "long condition": Attack("{% if " + " and ".join(["true"] * 540) + " %}{% endif %}{{ missing }}"),
    "deep arguments": Attack(
        "{{ xnovu_render('a', " + "{a: " * 1_000 + "1" + "}" * 1_000 + ") }}", included={"a": "x"}
    ),
    "include cycle": Attack(
        "{% xnovu_render 'a' %}", included={"a": "{% xnovu_render 'b' %}", "b": "{% xnovu_render 'a' %}"}
    ),
    "include bomb": Attack(
        "{% xnovu_render 'i0' %}",
        included={**{f"i{n}": f"{{% xnovu_render 'i{n + 1}' %}}" * 10 for n in range(9)}, "i9": "x"},
    ),
    "include fan": Attack("{% xnovu_render 'a' %}" * 4_900, included={"a": "{% xnovu_render 'b' %}" * 4_900, "b": "x"}),
    "include in a loop": Attack(
        f"{{% for i in (1..{_UP}) %}}{{% xnovu_render 'a' %}}{{% endfor %}}", included={"a": "x"}
    ),
    # Giants
    "giant template": Attack("x" * 1_000_000),
    "giant literal": Attack("{{ '" + _BIG[:190_000] + "' }}"),
    "giant output": Attack("{{ a }}{{ a }}{{ a }}", {"a": _BIG}),
    # The lexer
    "unclosed raw blocks": Attack("{% raw %}" * 20_000),
    "fifty unclosed raw blocks": Attack("{% raw %}" * 50 + "x" * 190_000),
    "unclosed comments": Attack("{% comment %}" * 4_900),
    "unclosed outputs": Attack("{{" * 90_000),
    "space in tags": Attack(("{% if" + " " * 4_900 + "x" + " " * 4_900 + "%}") * 19),
    "space that ends a tag": Attack(("{% else" + " " * 4_900 + "%}") * 38),
    "nothing but space": Attack(("{{" + " \n" * 2_450 + "}}") * 38),
    "space in the way of a sign": Attack(("{%-" + "\t" * 2_400 + "else" + "\u00a0" * 2_400 + "-%}") * 38),
    "space in many tags": Attack(("{{" + " " * 200 + "}}") * 900),
    "space by the limit": Attack(("{{" + " " * 200 + "}}") * 99),
    "lines of a liquid tag": Attack(("{% liquid" + ("\nassign a = b" + " " * 200) * 22 + "%}") * 38 + "{{ missing }}"),
    "parentheses": Attack(("{{ " + "(" * 4_000 + " }}") * 40),
    "brackets and quotes": Attack(("{% if " + "[' " * 1_500 + " %}{% endif %}") * 40),
    # The HTML parser
    "deep elements": Attack("<div>" * 15_000),
    "deep lists": Attack("<ul><li>" * 12_000),
    "copied elements": Attack("".join(f"<font color=c{n}>" for n in range(3_000)) + "<p>x" * 10_000),
    # Beyond plain data
    "class": Attack("{{ a.__class__.__mro__[1].__subclasses__ }}", {"a": "x"}),
    "method": Attack("{{ a.format }}", {"a": "x"}),
    "globals": Attack("{{ a.__init__.__globals__ }}", {"a": {}}),
}
"""Each must be refused, in under a second and within 256 MB."""

HARMLESS: Mapping[str, Attack] = {
    "markdown quotes": Attack("{{ a | markdown_to_html }}", {"a": ">" * 50_000}),
    "attributes": Attack("<a " + " ".join(f"a{n}" for n in range(16_000)) + ">x"),
    "style parentheses": Attack('<p style="' + "(" * 90_000 + '">x</p>'),
    "style comments": Attack('<p style="' + "/*" * 45_000 + '">x</p>'),
    "style space": Attack('<p style="a:url( ' + " " * 90_000 + '">x</p>'),
    "padded date": Attack("x{{ 0 | date: '%9999999999Y' }}"),
    "huge arguments": Attack(
        "x{{ a | truncate: 99999999999999999999 | slice: -99999999999999999999, 9 }}", {"a": "abc"}
    ),
    "breaks": Attack("x{{ a | html_to_text }}", {"a": "<br" + " " * 100_000}),
    "open items": Attack("x{{ a | html_to_text }}", {"a": "<li " * 40_000}),
    "nested entities": Attack("x{{ a | strip_html }}", {"a": "&" + "#38;" * 10_000 + "lt;"}),
    "space before a subject": Attack("Subject:" + " " * 90_000 + "x\ny"),
    "deep payload": Attack("{{ a | json | size }}", {"a": [[[[[[[[[[1]]]]]]]]]]}),
}
"""Look alike, and must simply render, as fast."""
