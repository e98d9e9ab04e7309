"""The subject of a message: plain text on one line."""

import re
from typing import Final

from worker.rendering.plain_text import strip_tags

_SUBJECT_LINE: Final = re.compile(r"\s*subject:[ \t]*(?P<subject>[^\n\r]*)(?:\r\n|\n|\r|$)", re.IGNORECASE)


def split_subject(body: str) -> tuple[str | None, str]:
    """The subject that a leading `Subject: ...` line names, and the body behind that line; or None and the body."""
    match = _SUBJECT_LINE.match(body)
    if match is None:
        return None, body
    return match.group("subject"), body[match.end() :]


def clean_subject(subject: str) -> str:
    """One line without tags. A line break would end the header and start the next."""
    while (line := " ".join(strip_tags(subject).split())) != subject:
        subject = line
    return subject
