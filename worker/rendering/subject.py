"""The subject of a message: plain text on one line."""

import re
from typing import Final

from worker.rendering.plain_text import to_text

_SUBJECT_LINE: Final = re.compile(r"\s*subject:[ \t]*(?P<subject>[^\n\r]*)(?:\r\n|\n|\r|$)", re.IGNORECASE)

_BIDI_CONTROL: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Unicode's Bidi_Control: they make a subject read otherwise than it is written."""

_ENCODED_WORD: Final = re.compile(r"=\?(?=[^\s?]+\?[bBqQ]\?)")
"""Where RFC 2047 would have a mail client decode the rest."""


def split_subject(body: str) -> tuple[str | None, str]:
    """The subject that a leading `Subject: ...` line names, and the body behind that line; or None and the body."""
    match = _SUBJECT_LINE.match(body)
    if match is None:
        return None, body
    return match.group("subject"), body[match.end() :]


def clean_subject(markup: str) -> str:
    """One line of text, of what a template wrote. A line break would end the header and start the next."""
    line = " ".join(_BIDI_CONTROL.sub("", to_text(markup)).split())
    return _ENCODED_WORD.sub("= ?", line)
