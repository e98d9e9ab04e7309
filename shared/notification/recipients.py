"""Which subscriber ids Novu takes for sure. Others it may drop without a word, and nobody is notified. Pure."""

import re
from collections.abc import Sequence

_EMAIL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\ud7ff-]{1,64}@[A-Za-z0-9\u00a1-\ud7ff-]+(\.[A-Za-z0-9\u00a1-\ud7ff-]+)+"
PATTERN = rf"^([A-Za-z0-9_:.-]+|{_EMAIL})$"
"""A subscriber id, spelt out so that every engine of regular expressions reads it alike."""

_TAKEN = re.compile(PATTERN)

_MOST_NAMED = 20

ERASED = "00000000-0000-0000-0000-"
"""Begins what stands in a row's recipients at the place of somebody who was erased (`xnovu erase`): nobody's id, and a
uuid with the place behind it, so that the others keep their places.
"""


def not_taken(recipients: Sequence[object], *, any_id: bool = False) -> list[int]:
    """The places, from 0, of those that are no subscriber ids; the first twenty. `any_id`: only of blank ones."""
    is_taken = _is_said if any_id else _is_taken
    places = (place for place, recipient in enumerate(recipients) if not is_taken(recipient))
    return [place for place, _ in zip(places, range(_MOST_NAMED), strict=False)]


def _is_said(recipient: object) -> bool:
    return isinstance(recipient, str) and bool(recipient.strip())


def _is_taken(recipient: object) -> bool:
    return isinstance(recipient, str) and _TAKEN.fullmatch(recipient) is not None


def is_erased(recipient: str) -> bool:
    """Whether it only keeps the place of somebody who was erased."""
    return recipient.startswith(ERASED)
