"""The templates: every filter with every kind of value, and with every kind of argument."""

from collections.abc import Mapping
from typing import Any, Final

VALUES: Final[Mapping[str, Any]] = {
    "nil": None,
    "true": True,
    "false": False,
    "zero": 0,
    "integer": 7,
    "negative": -3,
    "decimal": 2.675,
    "whole decimal": 2.0,
    "empty": "",
    "text": "  Ab a-c  d\n",
    "number in text": "12.5",
    "html": "<p>a &amp; b?c&region=d</p>",
    "list": ["b", "C", "a", "a"],
    "mixed": [2, None, "x", True, 1.5, 10],
    "nested": [[2, 1], ["x"]],
    "empty list": [],
    "objects": [{"p": 2, "n": "b"}, {"n": "A"}, {"p": 1, "n": None}, {"p": True, "n": "b"}],
    "object": {"a": 1, "b": None},
    "date": "2026-03-04T05:06:07.089Z",
}
"""Each is `v` to every template, as a payload would bring it."""

_FILTERS: Final = (
    *("abs", "at_least: 2", "at_most: 2", "ceil", "floor", "round", "round: 1", "round: 2", "round: -1"),
    *("plus: 1", "plus: 1.5", "minus: 1", "minus: 0.1", "times: 3", "times: 0.1", "modulo: 2", "modulo: 1.5"),
    *("divided_by: 2", "divided_by: 2.0", "divided_by: 4", "divided_by: 0"),
    *("append: '-'", "prepend: '-'", "capitalize", "downcase", "upcase", "strip", "lstrip", "rstrip", "squish"),
    *("remove: 'a'", "remove_first: 'a'", "remove_last: 'a'", "replace: 'a', 'x'", "replace_first: 'a', 'x'"),
    *("replace_last: 'a', 'x'", "replace: '', '-'", "escape", "escape_once", "newline_to_br", "strip_newlines"),
    *("strip_html", "url_encode", "url_decode", "base64_encode", "split: ' '", "split: 'a'", "split: ''"),
    *("truncate: 2", "truncate: 5", "truncate: 9, ''", "truncatewords: 2", "truncatewords: 1, '~'"),
    *("slice: 0", "slice: 1, 2", "slice: -2, 2", "slice: -20, 3", "size", "first", "last", "default: 'x'"),
    *("default: 'x', allow_false: true", "join", "join: ', '", "reverse", "sort", "sort_natural", "sort: 'p'"),
    *("sort_natural: 'n'", "uniq", "uniq: 'n'", "compact", "compact: 'p'", "map: 'p'", "where: 'p'", "where: 'p', 1"),
    *("where: 'p', true", "reject: 'p'", "find: 'n', 'b'", "find_index: 'n', 'b'", "has: 'n', 'b'", "has: 'p'"),
    *("concat: v", "sum", "sum: 'p'", "json", "date: '%Y-%m-%d %H:%M:%S.%L %z'", "date: '%-d %b %e %j %s %P'"),
)

_ARGUMENTS: Final = (
    *("'Dear ' | append: v", "'Dear ' | prepend: v", "'a-b-a' | replace: 'a', v", "'a-b-a' | replace: v, 'x'"),
    *("'a-b-a' | remove: v", "'a-b-a' | replace_last: v, 'x'", "'a b c' | split: v", "'abcdefgh' | truncate: v"),
    *("'abcdefgh' | truncate: 5, v", "'a b c d' | truncatewords: v", "'abcdefgh' | slice: v", "'abc' | slice: 1, v"),
    *("nil | default: v", "10 | plus: v", "10 | minus: v", "10 | times: v", "10 | divided_by: v", "10 | modulo: v"),
    *("10 | at_least: v", "10 | at_most: v", "2.345 | round: v", "'a,b' | split: ',' | join: v"),
    *("'a,b' | split: ',' | concat: v", "'2026-03-04' | date: v"),
)

_TAGS: Final = (
    "{{ v }}",
    "{% assign x = v %}{{ x }}",
    "{% capture x %}{{ v }}{% endcapture %}{{ x | size }}",
    "{% echo v %}",
    "{% if v %}yes{% else %}no{% endif %}",
    "{% unless v %}yes{% else %}no{% endunless %}",
    "{% if v == empty %}yes{% else %}no{% endif %}",
    "{% if v == blank %}yes{% else %}no{% endif %}",
    "{% if v == nil %}yes{% else %}no{% endif %}",
    "{% if v == true %}yes{% else %}no{% endif %}",
    "{% if v == 7 %}yes{% else %}no{% endif %}",
    "{% if v contains 'a' %}yes{% else %}no{% endif %}",
    "{% case v %}{% when 7, '12.5' %}number{% when true %}true{% when nil %}nil{% else %}else{% endcase %}",
    "{% for x in v %}[{{ x }}]{% else %}none{% endfor %}",
    "{% for x in v limit: 2 offset: 1 reversed %}[{{ x }}]{% endfor %}",
    "{% cycle v, 'b' %}",
    "{% tablerow x in v cols: 2 %}{{ x }}{% endtablerow %}",
    "{% for x in (1..3) %}{{ x }}{{ forloop.last }}{% endfor %}",
    "{{ (1..3) }} {{ (1..3) | join }} {{ (1..3) | reverse | first }}",
)

TEMPLATES: Final = (
    *_TAGS,
    *(f"{{{{ v | {name} }}}}" for name in _FILTERS),
    *(f"{{{{ {expression} }}}}" for expression in _ARGUMENTS),
    *(
        f"{{{{ v | {chain} }}}}"
        for chain in ("map: 'n' | sort | join: ','", "split: ' ' | reverse | join", "json | size")
    ),
)
