"""Cleans the CSS of a `style` attribute."""

import re
from typing import Final

_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_DECLARATION: Final = re.compile(r"""(?:[^;"'()]|"[^"]*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\))+""")
_PROPERTY: Final = re.compile(r"-?[a-zA-Z][a-zA-Z-]*")
_VALUE: Final = re.compile(r"""[\w\s#%.,()"'!/+*:?&=~@;-]+""")
_URL: Final = re.compile(r"""url\(\s*(["']?)(?P<target>[^"')]*)\1\s*\)""", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r"expression|javascript|vbscript|data:|-moz-binding|@import|url\(|/\*", re.IGNORECASE)
_FORBIDDEN_PROPERTIES: Final = frozenset({"behavior", "-moz-binding"})
_WEB_ADDRESS: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)


def clean_style(style: str) -> str:
    """The declarations that can only style: no code, and no address but http and https ones.

    Escapes (`\\65xpression`) are dropped, not decoded. Repeating it changes nothing.
    """
    kept = []
    for declaration in _DECLARATION.findall(_COMMENT.sub("", style)):
        name, separator, value = declaration.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if separator and _PROPERTY.fullmatch(name) and name not in _FORBIDDEN_PROPERTIES and _is_harmless(value):
            kept.append(f"{name}: {value}")
    return "; ".join(kept)


def _is_harmless(value: str) -> bool:
    addresses = [match.group("target").strip() for match in _URL.finditer(value)]
    rest = _URL.sub("", value)
    return (
        _VALUE.fullmatch(value) is not None
        and _FORBIDDEN.search(rest) is None
        and all(_WEB_ADDRESS.fullmatch(address) for address in addresses)
    )
