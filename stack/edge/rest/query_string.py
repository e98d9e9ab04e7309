"""The query string of a request, read into what is asked: columns, conditions, order, page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl

from stack.edge.rest.conditions import Condition, looks_like_filter, parse_filter, parse_junction, split_path
from stack.edge.rest.errors import RestError, not_implemented
from stack.edge.rest.selection import ALL_COLUMNS, Embed, OrderTerm, Selected, changed, parse_order, parse_select
from stack.edge.rest.text_cursor import TextCursor


@dataclass(frozen=True)
class Query:
    """`limit` None is no limit asked for; `columns` None is columns not named; `arguments` are an rpc's."""

    selection: tuple[Selected, ...]
    embeds: tuple[Embed, ...]
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
    parts: list[tuple[tuple[str, ...], Condition]] = []
    shaping: list[tuple[tuple[str, ...], str, str]] = []
    arguments: list[tuple[str, str]] = []
    for key, value in _pairs(query_string):
        last_word = key.rpartition(".")[2]
        if key in {"select", "order", "limit", "offset", "columns", "on_conflict"}:
            if key in once:
                raise not_implemented(f"the query parameter {key} given twice")
            once[key] = value
        elif last_word in {"and", "or"}:
            parts.append(parse_junction(key, value))
        elif last_word in {"order", "limit", "offset"}:
            *names, what = split_path(key)
            shaping.append((tuple(names), what, value))
        elif with_arguments and not looks_like_filter(value):
            arguments.append((key, value))
        elif not looks_like_filter(value):
            raise not_implemented(f"the query parameter {key}={value}")
        else:
            parts.append(parse_filter(key, value))
    selection, embeds = parse_select(once.get("select", ALL_COLUMNS))
    for path, condition in parts:
        if path:
            embeds = changed(embeds, path, partial(_filtered, condition))
    for path, what, value in shaping:
        embeds = changed(embeds, path, partial(_shaped, what, value))
    return Query(
        selection=selection,
        embeds=embeds,
        conditions=tuple(condition for path, condition in parts if not path),
        order=parse_order(once["order"]) if once.get("order") else (),
        limit=_whole_number("limit", once["limit"]) if "limit" in once else None,
        offset=_whole_number("offset", once["offset"]) if "offset" in once else 0,
        columns=_names("columns", once["columns"]) if "columns" in once else None,
        on_conflict=_names("on_conflict", once["on_conflict"]) if "on_conflict" in once else None,
        arguments=tuple(arguments),
    )


def _filtered(condition: Condition, embed: Embed) -> Embed:
    return replace(embed, conditions=(*embed.conditions, condition))


def _shaped(what: str, value: str, embed: Embed) -> Embed:
    if what == "order":
        return replace(embed, order=parse_order(value))
    if what == "limit":
        return replace(embed, limit=_whole_number(what, value))
    return replace(embed, offset=_whole_number(what, value))


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
