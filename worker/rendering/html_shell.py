"""What a document's shell says of all its content. Parsers of fragments drop `html` and `body`, attributes and all."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

import nh3

_SHELL_OR_COMMENT: Final = re.compile(r"<(?:(?P<shell>html|body)(?=[\s/>])|!--)", re.IGNORECASE)
_ATTRIBUTES: Final = re.compile(r"""(?:[^"'<>]|"[^"]*"|'[^']*')*>""")
_KEPT: Final = frozenset({"dir", "lang", "style", "bgcolor"})
_HEX: Final = re.compile(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}")


def opening_of(html: str) -> str:
    """The start tag of a `div` that says what the document's `html` and `body` say by `dir`, `lang`, `style` and
    `bgcolor`, to be sanitised with the rest; empty if they say nothing.
    """
    lowered = html.lower()
    if "<html" not in lowered and "<body" not in lowered:
        return ""
    said: dict[str, str] = {}
    styles: list[str] = []

    def note(_tag: str, attribute: str, value: str) -> None:
        if attribute == "bgcolor":
            # Before the style, whose own background wins.
            styles.insert(0, f"background-color: {'#' if _HEX.fullmatch(value) else ''}{value}")
        elif attribute == "style":
            styles.append(value)
        else:
            said[attribute] = value

    for attributes in _shells(html):
        nh3.clean(f"<div {attributes}>", tags={"div"}, attributes={"div": set(_KEPT)}, attribute_filter=note)
    if styles:
        said["style"] = "; ".join(styles)
    return "<div " + " ".join(f'{name}="{escape(value)}"' for name, value in said.items()) + ">" if said else ""


def _shells(html: str) -> Iterator[str]:
    """What stands in the first start tag of `html`, and in that of `body`."""
    seen: set[str] = set()
    position = 0
    while len(seen) < 2 and (tag := _SHELL_OR_COMMENT.search(html, position)) is not None:
        name = (tag.group("shell") or "").lower()
        if not name:
            end = html.find("-->", tag.end())
            position = len(html) if end < 0 else end
            continue
        attributes = _ATTRIBUTES.match(html, tag.end())
        if attributes is None:
            return
        position = attributes.end()
        if name not in seen:
            seen.add(name)
            yield attributes.group()[:-1].rstrip("/")
