"""The query string of a request, read into what is asked: columns, conditions, order, page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from stack.edge.rest.conditions import Condition, looks_like_filter, parse_filter, parse_junction
from stack.edge.rest.errors import RestError, not_implemented
from stack.edge.rest.text_cursor import TextCursor

ALL_COLUMNS = "*"


@dataclass(frozen=True)
class Selected:
    """One output column; `*` stands for all."""

    column: str
    alias: str | None


@dataclass(frozen=True)
class OrderTerm:
    column: str
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True)
class Query:
    """`limit` None is no limit asked for; `columns` None is columns not named; `arguments` are an rpc's."""

    selection: tuple[Selected, ...]
    conditions: tuple[Condition, ...]
    order: tuple[OrderTerm, ...]
    limit: int | None
    offset: int
    columns: tuple[str, ...] | None
    on_conflict: tuple[str, ...] | None
    arguments: tuple[tuple[str, str], ...]


def parse_query(query_string: str, *, with_arguments: bool) -> Query:
    """Read `query_string`. With `with_arguments` (an rpc by GET), values without an operator are arguments.

    Raises RestError: PGRST100 where PostgREST cannot parse, 501 where it could and this edge does not.
    """
    once: dict[str, str] = {}
    conditions: list[Condition] = []
    arguments: list[tuple[str, str]] = []
    for key, value in _pairs(query_string):
        last_word = key.rpartition(".")[2]
        if key in {"select", "order", "limit", "offset", "columns", "on_conflict"}:
            if key in once:
                raise not_implemented(f"the query parameter {key} given twice")
            once[key] = value
        elif last_word in {"and", "or"}:
            conditions.append(parse_junction(key, value))
        elif last_word in {"order", "limit", "offset"}:
            raise not_implemented(f"parameters of embedded resources ({key})")
        elif with_arguments and not looks_like_filter(value):
            arguments.append((key, value))
        elif not looks_like_filter(value):
            raise not_implemented(f"the query parameter {key}={value}")
        else:
            conditions.append(parse_filter(key, value))
    return Query(
        selection=_selection(once.get("select", ALL_COLUMNS)),
        conditions=tuple(conditions),
        order=_order(once["order"]) if once.get("order") else (),
        limit=_whole_number("limit", once["limit"]) if "limit" in once else None,
        offset=_whole_number("offset", once["offset"]) if "offset" in once else 0,
        columns=_names("columns", once["columns"]) if "columns" in once else None,
        on_conflict=_names("on_conflict", once["on_conflict"]) if "on_conflict" in once else None,
        arguments=tuple(arguments),
    )


def _pairs(query_string: str) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(query_string, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise RestError(400, "PGRST100", "The query string is not valid UTF-8", details=str(error)) from error


def _whole_number(key: str, value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise not_implemented(f"{key}={value}, which is not a whole number")
    return int(value)


def _names(key: str, value: str) -> tuple[str, ...]:
    cursor = TextCursor(f"{key} parameter", value)
    names = [cursor.field_name()]
    while cursor.take(","):
        cursor.skip_blanks()
        names.append(cursor.field_name())
    cursor.expect_end()
    return tuple(dict.fromkeys(names))


def _selection(value: str) -> tuple[Selected, ...]:
    if not value:
        raise not_implemented("an empty select")
    cursor = TextCursor("select parameter", value)
    selected = [_selected(cursor)]
    while cursor.take(","):
        selected.append(_selected(cursor))
    cursor.expect_end()
    return tuple(selected)


def _selected(cursor: TextCursor) -> Selected:
    cursor.skip_blanks()
    if cursor.take(ALL_COLUMNS):
        cursor.skip_blanks()
        return Selected(ALL_COLUMNS, None)
    if cursor.rest.startswith(".."):
        raise not_implemented(f"spread embedding ({cursor.rest})")
    name, alias = cursor.field_name(), None
    if cursor.rest.startswith(":") and not cursor.rest.startswith("::"):
        cursor.take(":")
        name, alias = cursor.field_name(), name
    for sign, what in (
        ("(", "embedding"),
        ("!", "embedding"),
        ("->", "JSON paths"),
        ("::", "casts"),
        (".", "aggregates"),
    ):
        if cursor.rest.startswith(sign):
            raise not_implemented(f"{what} in select ({name}{cursor.rest})")
    cursor.skip_blanks()
    return Selected(name, alias)


def _order(value: str) -> tuple[OrderTerm, ...]:
    cursor = TextCursor("order", value)
    terms = [_order_term(cursor)]
    while cursor.take(","):
        terms.append(_order_term(cursor))
    cursor.expect_end()
    return tuple(terms)


def _order_term(cursor: TextCursor) -> OrderTerm:
    cursor.skip_blanks()
    column = cursor.field_name()
    if cursor.rest.startswith(("(", "->")):
        raise not_implemented(f"order by {column}{cursor.rest}")
    descending = cursor.take(".desc")
    if not descending:
        cursor.take(".asc")
    nulls_first: bool | None = None
    if cursor.take(".nullsfirst"):
        nulls_first = True
    elif cursor.take(".nullslast"):
        nulls_first = False
    cursor.skip_blanks()
    if not cursor.at_end and not cursor.rest.startswith(","):
        raise cursor.error('"asc", "desc", "nullsfirst" or "nullslast"')
    return OrderTerm(column, descending, nulls_first)
