"""The text of a value, one for outputs, filters and their arguments: Liquid's, never Python's."""

import json
from collections.abc import Iterable
from decimal import Decimal
from math import isfinite

from liquid import Undefined
from markupsafe import Markup, escape


def liquid_text(value: object) -> str:
    """What `{{ value }}` writes, before any escaping.

    Nothing for nil; `true` and `false`; numbers without exponents; a list's items one after another; an object as
    JSON. Text comes back as it is, Markup as Markup. Raises UndefinedVariable for what is not
    there, ValueError for what is no number.
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _decimal_text(value)
        case list() | tuple():
            return join_text("", (liquid_text(item) for item in value))
        case dict():
            return json_text(value)
        case range():
            return f"{value.start}..{value.stop - 1}"
        case int() | Undefined():
            return str(value)
        case _:  # a loop's own object, `empty` and `blank` are no data: as text they would show the library's names
            return ""


def join_text(separator: str, pieces: Iterable[str]) -> str:
    """The pieces with the separator between; Markup, with the rest escaped, if one of them is."""
    pieces = list(pieces)
    if any(isinstance(piece, Markup) for piece in (separator, *pieces)):
        return escape(separator).join(pieces)
    return separator.join(pieces)


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON; a range is a list. Raises TypeError or ValueError for what JSON cannot say.

    Raises UndefinedVariable for what is not there.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_json_part)


def _json_part(part: object) -> object:
    match part:
        case range():
            return list(part)
        case Undefined():
            return str(part) or None
        case _:
            raise TypeError("JSON has nothing like it")


def _decimal_text(number: float) -> str:
    if not isfinite(number):
        raise ValueError("no number that people write")
    text = format(Decimal(repr(number or 0.0)), "f")
    return text if "." in text else f"{text}.0"
