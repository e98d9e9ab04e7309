"""Counts what an SMS costs: the segments in which it travels (3GPP TS 23.038 and 23.040)."""

from collections.abc import Iterable
from typing import Final

_GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Written as an escape and a character: two septets, which travel in one segment."""

_SEPTETS_SINGLE: Final = 160
_SEPTETS_OF_MANY: Final = 153
_UNITS_SINGLE: Final = 70
_UNITS_OF_MANY: Final = 67


def count_segments(text: str) -> int:
    """The number of segments: one of 160 septets, or many of 153.

    Any character outside GSM-7 makes it UCS-2: one of 70 UTF-16 units, or many of 67.
    """
    if not characters_outside_gsm(text):
        sizes = [2 if character in _GSM_EXTENSION else 1 for character in text]
        return _count(sizes, single=_SEPTETS_SINGLE, of_many=_SEPTETS_OF_MANY)
    sizes = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return _count(sizes, single=_UNITS_SINGLE, of_many=_UNITS_OF_MANY)


def characters_outside_gsm(text: str) -> list[str]:
    """The characters, each once and in order, that make it UCS-2."""
    return [it for it in dict.fromkeys(text) if it not in _GSM_BASIC and it not in _GSM_EXTENSION]


def _count(sizes: Iterable[int], *, single: int, of_many: int) -> int:
    """Segments for characters of these sizes; a character is never split between two."""
    sizes = list(sizes)
    if sum(sizes) <= single:
        return 1
    segments, filled = 1, 0
    for size in sizes:
        if filled + size > of_many:
            segments, filled = segments + 1, 0
        filled += size
    return segments
