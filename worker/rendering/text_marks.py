"""Keeps values apart from a template's own text until both are plain text.

A text channel's template may hold tags and entities, its values may not: what a value says is text. So the characters
that mean something to HTML are swapped, in values, for characters that mean nothing, and swapped back when the
template's tags are gone. The stand-ins are Unicode's noncharacters, which no text may hold; they are dropped from
values that hold them all the same.
"""

from typing import Final

LESS_THAN: Final = "\ufdd0"
"""Stands for a `<` that opens no tag."""

VALUE_START: Final = "\ufdd1"
"""Stands where a value begins: what is written before it (`<{{ address }}>`) opens no tag with it."""

GREATER_THAN: Final = "\ufdd2"

AT: Final = "\ufdd7"
"""Stands for a value's `@`: chats call everybody by `@everyone`."""

_STAND_INS: Final = {
    "<": LESS_THAN,
    ">": GREATER_THAN,
    "&": "\ufdd3",
    '"': "\ufdd4",
    "'": "\ufdd5",
    "@": AT,
    "\u00a0": "\ufdd6",  # HTML's serialiser is slow with it
}
_NONCHARACTERS: Final = dict.fromkeys(map(chr, range(0xFDD0, 0xFDF0)), "")

_MARK: Final = str.maketrans(_STAND_INS)
_MARK_ONLY_OURS: Final = str.maketrans({**_NONCHARACTERS, **_STAND_INS})
_UNMARK: Final = str.maketrans({**_NONCHARACTERS, **{mark: character for character, mark in _STAND_INS.items()}})


def mark_value(text: str) -> str:
    """The text of a value, safe to stand in a template's text."""
    return VALUE_START + text.translate(_MARK_ONLY_OURS) if text else ""


def mark_text(text: str) -> str:
    """Text of a template in which nothing is a tag or an entity any more; marked values in it stay."""
    return text.translate(_MARK)


def unmark(text: str) -> str:
    """Marked text as it reads."""
    return text.translate(_UNMARK)
