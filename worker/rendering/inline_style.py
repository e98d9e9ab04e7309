"""Cleans the CSS of a `style` attribute."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from worker.rendering.html_markup import names

_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_DECLARATION: Final = re.compile(r"""(?:[^;"'()]|"[^"]*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\))+""")
_VALUE: Final = re.compile(r"""[\w\s#%.,()"'!/+*:?&=~@;-]+""")
_URL: Final = re.compile(r"""url\(\s*(["']?)(?P<target>[^"')]*)\1\s*\)""", re.IGNORECASE)
_FUNCTION: Final = re.compile(r"([\w-]*)\s*\(")
_FORBIDDEN: Final = re.compile(r"expression|javascript|vbscript|data:|-moz-binding|@import|url\(|/\*", re.IGNORECASE)
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_FAR_AWAY: Final = re.compile(r"-\s*\d{3,}")
"""A length that moves something over what stands around the message."""
_FAR_REACHING: Final = re.compile(r"(?<![#\w])(?:\d{3,}[a-z%]|\d{2,}(?:r?em|ex|ch|cm|in|pc|v\w+))", re.IGNORECASE)
_PAINT_AROUND: Final = frozenset({"box-shadow", "text-shadow", "outline", "outline-width", "outline-offset"})
"""Properties that paint outside the box."""

_PROPERTIES: Final = names(
    """align-content align-items align-self aspect-ratio box-shadow box-sizing caption-side clear color column-gap
    columns column-count cursor direction display empty-cells float gap height hyphens justify-content justify-items
    justify-self letter-spacing line-break line-height max-height max-width min-height min-width object-fit
    object-position opacity order orphans overflow overflow-wrap overflow-x overflow-y quotes row-gap tab-size
    table-layout unicode-bidi vertical-align visibility white-space widows width word-break word-spacing word-wrap
    -ms-interpolation-mode -ms-text-size-adjust -moz-text-size-adjust -webkit-text-size-adjust
    -webkit-font-smoothing -moz-osx-font-smoothing -webkit-border-radius -moz-border-radius color-scheme
    supported-color-schemes"""
)
_FAMILIES: Final = (
    *("background", "border", "break", "flex", "font", "grid", "list-style", "margin", "mso", "outline", "padding"),
    *("page-break", "text"),
)
"""`border` allows `border-left-color` as well."""
_FUNCTIONS: Final = names(
    """calc clamp hsl hsla linear-gradient max min minmax radial-gradient repeat repeating-linear-gradient
    repeating-radial-gradient rgb rgba url"""
)
_CACHED_CHARACTERS: Final = 500


def clean_style(style: str) -> str:
    """The declarations that can only style what they stand in: known properties, without code, positions, layers, or
    any address but http and https ones.

    Escapes (`\\65xpression`) are dropped, not decoded. Repeating it changes nothing.
    """
    # An email repeats its styles in every row; long ones are not worth their memory.
    return _clean_cached(style) if len(style) <= _CACHED_CHARACTERS else _clean(style)


def declarations(style: str) -> list[str]:
    """The declarations of a style in the form in which a clean one has them."""
    return [f"{name}: {value}" for name, value in _declarations(style)]


def _clean(style: str) -> str:
    kept = ((name, value) for name, value in _declarations(style) if _is_known(name) and _is_harmless(name, value))
    return "; ".join(f"{name}: {value}" for name, value in kept)


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in _DECLARATION.findall(_COMMENT.sub("", style)):
        name, separator, value = declaration.partition(":")
        if separator:
            yield name.strip().lower(), " ".join(value.split())


_clean_cached = lru_cache(maxsize=512)(_clean)


def _is_known(name: str) -> bool:
    if name in _PROPERTIES:
        return True
    return name.replace("-", "").isascii() and any(name == it or name.startswith(f"{it}-") for it in _FAMILIES)


def _is_harmless(name: str, value: str) -> bool:
    addresses = [match.group("target").strip() for match in _URL.finditer(value)]
    rest = _URL.sub("", value)
    return (
        _VALUE.fullmatch(value) is not None
        and _FORBIDDEN.search(rest) is None
        and _FAR_AWAY.search(rest) is None
        and not (name in _PAINT_AROUND and _FAR_REACHING.search(rest))
        and all(function.lower() in _FUNCTIONS for function in _FUNCTION.findall(rest) if function)
        and all(_WEB_ADDRESS.fullmatch(address) for address in addresses)
    )
