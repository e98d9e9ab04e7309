"""YAML as files of ours have it: what is written is read as the same; what would surprise is refused by its line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.files.yaml_text import YamlRefused, read_yaml, write_yaml

AMBIGUOUS = (
    *(
        "no",
        "on",
        "1e5",
        "0o14",
        "~",
        "",
        "=",
        "<<",
        "2026-01-01",
        "12:30:00",
        "0x1f",
        "1_000",
        "0123",
        "+1",
        ".5",
        "-0",
    ),
    *("a\r\nb", "\ufeffx", "\x85", "\u2028", "- a", "%x", "!t", "&a", "*a", "|", "# c", "a: b", "a #c", "\ttab\n x"),
    *("a\n", "\n\na\n\n", "  lead\nx", "trailing  \nx", " a", "a ", "\x07"),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    AMBIGUOUS
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    assert json.dumps(read_yaml(write_yaml(value)).value) == json.dumps(value)


def test_a_text_of_several_lines_is_written_as_such() -> None:
    assert write_yaml({"description": "one\ntwo\n", "list": ["a"]}) == "description: |\n  one\n  two\nlist:\n  - a\n"


def test_what_other_readers_take_for_something_else_is_a_text() -> None:
    read = read_yaml("a: no\nb: 2026-01-01\nc: 12:30:00\nd: 0x1f\ne: true\nf: 1.5\ng: ~\nh: on").value

    assert read == {
        "a": "no",
        "b": "2026-01-01",
        "c": "12:30:00",
        "d": "0x1f",
        "e": True,
        "f": 1.5,
        "g": None,
        "h": "on",
    }


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3", 3, "a stands twice"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "the tag"),
        ("a: 1\nb: !!binary aGk=", 2, "the tag"),
        ("a: 1\nb: !!str 12", 2, "the tag"),
        ("a: 1\nb: !ours null", 2, "the tag"),
        ("a: 1\n!!str b: 2", 2, "the tag"),
        ("a: &x [1]\nb: *x", 1, "anchors"),
        ("a:\n- 1\n  b: 2", 3, "no YAML"),
        ("a: 1\n---\nb: 2", 2, "no YAML"),
        ("? [a]\n: 1", 1, "a member's name is a text"),
        ("a: 1\nb: 1e999", 2, "too great"),
        ("a: 1\nb: " + "9" * 301, 2, "300 digits"),
        ('a: 1\nb: "\\0"', 2, "NUL"),
        ('a: 1\nb: "\\ud800"', 2, "half of a pair"),
        ("a: 1\n" + "b: " + "[" * 5000, 2, "nests deeper"),
        ("a: 1\nb: \x07", 2, "a character"),
    ],
)
def test_what_would_surprise_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(YamlRefused, match=reason) as refused:
        read_yaml(text)

    assert refused.value.line == line
