"""Filters: `id=eq.1`, `status=not.in.(SENT,FAILED)`, `or=(id.eq.1,and(a.gt.2,b.is.null))`."""

from __future__ import annotations

from dataclasses import dataclass

from stack.edge.rest.errors import not_implemented
from stack.edge.rest.fields import Field, read_field, read_path
from stack.edge.rest.text_cursor import TextCursor

COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "ilike": "ilike",
    "match": "~",
    "imatch": "~*",
    "cs": "@>",
    "cd": "<@",
    "ov": "&&",
}
_IS_KEYWORDS = {
    "null": "null",
    "not_null": "not null",
    "true": "true",
    "false": "false",
    "unknown": "unknown",
}
# What PostgREST has beyond that. The quantified forms arrive as `like(any)`.
_UNIMPLEMENTED = frozenset({"fts", "plfts", "phfts", "wfts", "sl", "sr", "nxl", "nxr", "adj", "isdistinct"})
OPERATORS = frozenset(COMPARISONS) | {"in", "is"} | _UNIMPLEMENTED


@dataclass(frozen=True)
class Comparison:
    """`field operator value`, the operator being one of COMPARISONS."""

    field: Field
    operator: str
    value: str
    negated: bool


@dataclass(frozen=True)
class Membership:
    field: Field
    values: tuple[str, ...]
    negated: bool


@dataclass(frozen=True)
class Is:
    """`field is keyword`; the keyword is one of ours, never the client's text."""

    field: Field
    keyword: str
    negated: bool


@dataclass(frozen=True)
class Junction:
    """Conditions joined by `and` or `or`."""

    conjunction: str
    conditions: tuple[Condition, ...]
    negated: bool


Condition = Comparison | Membership | Is | Junction


def looks_like_filter(value: str) -> bool:
    """Whether `value` begins with an operator, as `eq.1` does. Of an rpc by GET, other values are arguments."""
    word, dot, _ = value.partition(".")
    return bool(dot) and (word == "not" or word.partition("(")[0] in OPERATORS)


def parse_filter(key: str, value: str) -> tuple[tuple[str, ...], Condition]:
    """The query parameter `key=value`: the embedded resource it is for, by the names that lead there, and what it says.

    Raises RestError where it makes no sense or is not implemented.
    """
    names = TextCursor("tree path", key)
    path = [names.field_name()]
    while names.take("."):
        path.append(names.field_name())
    field = Field(path.pop(), read_path(names))
    names.expect_end()
    cursor = TextCursor("filter", value)
    condition = _operation(cursor, field, within_list=False)
    cursor.expect_end()
    return tuple(path), condition


def parse_junction(key: str, value: str) -> tuple[tuple[str, ...], Junction]:
    """The query parameter `or=(...)`, `and=(...)`, `not.or=(...)` or `not.and=(...)`, and what it is for."""
    *path, conjunction = split_path(key)
    cursor = TextCursor("logic tree", value)
    junction = Junction(conjunction, _members(cursor), "not" in path)
    cursor.expect_end()
    return tuple(name for name in path if name != "not"), junction


def split_path(key: str) -> tuple[str, ...]:
    """`parts.maker.order` by its parts. Raises RestError PGRST100."""
    cursor = TextCursor("tree path", key)
    names = [cursor.field_name()]
    while cursor.take("."):
        names.append(cursor.field_name())
    cursor.expect_end()
    return tuple(names)


def _members(cursor: TextCursor) -> tuple[Condition, ...]:
    cursor.skip_blanks()
    cursor.expect("(")
    members = [_member(cursor)]
    while cursor.take(","):
        members.append(_member(cursor))
    cursor.expect(")")
    cursor.skip_blanks()
    return tuple(members)


def _member(cursor: TextCursor) -> Condition:
    cursor.skip_blanks()
    for negation in ("not.", ""):
        for conjunction in ("and", "or"):
            if cursor.rest.startswith(f"{negation}{conjunction}("):
                cursor.take(f"{negation}{conjunction}")
                return Junction(conjunction, _members(cursor), bool(negation))
    field = read_field(cursor)
    cursor.expect(".")
    condition = _operation(cursor, field, within_list=True)
    cursor.skip_blanks()
    return condition


def _operation(cursor: TextCursor, field: Field, *, within_list: bool) -> Condition:
    negated = cursor.take("not.")
    operator = _operator(cursor)
    if operator == "in":
        return Membership(field, _values(cursor), negated)
    if operator == "is":
        word = cursor.take_until(",)" if within_list else "")
        keyword = _IS_KEYWORDS.get(word.lower())
        if keyword is None:
            raise cursor.error(f"null or trilean value (unknown, true, false), not ({word})")
        return Is(field, keyword, negated)
    return Comparison(field, operator, _list_value(cursor) if within_list else cursor.take_rest(), negated)


def _operator(cursor: TextCursor) -> str:
    operator = cursor.take_until(".,")
    name = operator.partition("(")[0]
    if name in _UNIMPLEMENTED or (name != operator and name in OPERATORS):
        raise not_implemented(f"the filter operator {operator}")
    if name != operator or name not in OPERATORS:
        raise cursor.error(f"operator (eq, gt, ...), not ({operator})")
    cursor.expect(".")
    return operator


def _values(cursor: TextCursor) -> tuple[str, ...]:
    cursor.skip_blanks()
    cursor.expect("(")
    values = [cursor.element()]
    while cursor.take(","):
        values.append(cursor.element())
    cursor.expect(")")
    cursor.skip_blanks()
    return () if values == [""] else tuple(values)


def _list_value(cursor: TextCursor) -> str:
    """A value among others: quoted, an array literal in braces, or up to the next `,` or `)`."""
    if cursor.rest.startswith("{") and "}" in cursor.rest:
        return cursor.take_until("}") + "}" * cursor.take("}")
    return cursor.element()
