"""Liquid's filters of text. Value and arguments are first written as Liquid writes them: nil is nothing."""

import base64
import re
import urllib.parse
from collections.abc import Callable, Mapping
from functools import wraps
from types import SimpleNamespace
from typing import Any, Final

from liquid.builtin.filters.extra import escapejs
from markupsafe import Markup, escape

from worker.rendering.decimal_filters import integer_of
from worker.rendering.plain_text import decode_entities
from worker.rendering.value_text import join_text, liquid_text

_LINE_END: Final = re.compile(r"\r?\n")

_PLAIN: Final = SimpleNamespace(autoescape=False)
"""All that the library's `escapejs` asks its environment."""


def _of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, given the text of its value and of its arguments."""

    @wraps(function)
    def apply(value: object, *arguments: object) -> Any:
        return function(_as_read(value), *map(liquid_text, arguments))

    return apply


def _as_read(value: object) -> str:
    """The value's text; of Markup without tags what people read, so that nothing counts, cuts or seeks in entities."""
    text = liquid_text(value)
    return decode_entities(str(text)) if isinstance(text, Markup) and "<" not in text else text


def _replace_last(text: str, sought: str, replacement: str = "") -> str:
    before, found, after = text.rpartition(sought) if sought else (text, "yes", "")
    return before + replacement + after if found else text


def _split(text: str, separator: str = "") -> list[str]:
    if not separator:
        return list(text)
    pieces = text.split() if separator == " " else text.split(separator)
    while pieces and not pieces[-1]:
        pieces.pop()
    return pieces


def _escape_once(text: str) -> Markup:
    return escape(decode_entities(str(text)))


def _newline_to_br(text: str) -> Markup:
    return Markup(_LINE_END.sub("<br />\n", escape(text)))


def _strip_newlines(text: str) -> str:
    return type(text)(_LINE_END.sub("", text))


def _squish(text: str) -> str:
    return join_text(" ", text.split())


def _escapejs(text: str) -> str:
    return str(escapejs(str(text), environment=_PLAIN))


def _decoded(decode: Callable[[str], bytes]) -> Callable[[str], str]:
    return lambda text: decode(str(text)).decode()


_OF_TEXT: Final[Mapping[str, Callable[..., Any]]] = {
    "append": lambda text, end: text + end,
    "base64_decode": _decoded(lambda text: base64.b64decode(text, validate=True)),
    "base64_encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64_url_safe_decode": _decoded(base64.urlsafe_b64decode),
    "base64_url_safe_encode": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "capitalize": lambda text: text.capitalize(),
    "downcase": lambda text: text.lower(),
    "escape_once": _escape_once,
    "escapejs": _escapejs,
    "lstrip": lambda text: text.lstrip(),
    "newline_to_br": _newline_to_br,
    "prepend": lambda text, start: start + text,
    "remove": lambda text, sought: text.replace(sought, ""),
    "remove_first": lambda text, sought: text.replace(sought, "", 1),
    "remove_last": _replace_last,
    "replace": lambda text, sought, new="": text.replace(sought, new),
    "replace_first": lambda text, sought, new="": text.replace(sought, new, 1),
    "replace_last": _replace_last,
    "rstrip": lambda text: text.rstrip(),
    "split": _split,
    "squish": _squish,
    "strip": lambda text: text.strip(),
    "strip_newlines": _strip_newlines,
    "upcase": lambda text: text.upper(),
    "url_decode": lambda text: urllib.parse.unquote_plus(str(text)),
    "url_encode": lambda text: urllib.parse.quote_plus(str(text)),
}


def _truncate(value: object, length: object = None, end: object = "...") -> str:
    text, tail = _as_read(value), liquid_text(end)
    wanted = 50 if length is None else integer_of(length, "truncate")
    return text if len(text) <= wanted else text[: max(wanted - len(tail), 0)] + tail


def _truncate_words(value: object, count: object = None, end: object = "...") -> str:
    text = _as_read(value)
    wanted = max(15 if count is None else integer_of(count, "truncatewords"), 1)
    words = text.split()
    return text if len(words) <= wanted else join_text(" ", words[:wanted]) + liquid_text(end)


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(_as_read(value))
    return len(value) if isinstance(value, list | tuple | dict | range) else 0


def _slice(value: object, start: object = None, length: object = None) -> object:
    whole = list(value) if isinstance(value, list | tuple | range) else _as_read(value)
    begin = 0 if start is None else integer_of(start, "slice")
    count = 1 if length is None else integer_of(length, "slice")
    begin = begin + len(whole) if begin < 0 else begin
    return whole[begin : begin + count] if begin >= 0 and count > 0 else whole[:0]


TEXT_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _of_text(function) for name, function in _OF_TEXT.items()},
    "escape": lambda value: escape(str(liquid_text(value))),
    "safe": lambda value: Markup(liquid_text(value)),
    "size": _size,
    "slice": _slice,
    "truncate": _truncate,
    "truncatewords": _truncate_words,
}
