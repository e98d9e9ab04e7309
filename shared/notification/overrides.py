"""What in a notification's `overrides` would become lines of a mail's head, or of an SMS's: one line each. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

_IN_THE_HEAD = frozenset({"bcc", "cc", "from", "headers", "replyto", "sendername", "subject", "to"})
"""Members, in lower case, whose texts (and those of all within them) go there, wherever in the overrides they are."""

_NOVU_S_OWN = frozenset({"channels", "email", "providers", "sms", "steps"})


def broken_line(overrides: Mapping[str, Any]) -> str | None:
    """The path of a text for a mail's head that holds a line break or another control character; None if none does.

    Members that are not Novu's own are `*` in the path: their names are the row's.
    """
    return next(_broken_lines(overrides), None)


def _broken_lines(overrides: Mapping[str, Any]) -> Iterator[str]:
    waiting: list[tuple[Any, str, bool]] = [(overrides, "overrides", False)]
    while waiting:
        value, path, in_the_head = waiting.pop()
        if isinstance(value, Mapping):
            for name, member in value.items():
                inside = f"{path}.{_told(name)}"
                if in_the_head and _has_control_characters(name):
                    yield inside
                waiting.append((member, inside, in_the_head or name.casefold() in _IN_THE_HEAD))
        elif isinstance(value, list):
            waiting.extend((member, path, in_the_head) for member in value)
        elif in_the_head and isinstance(value, str) and _has_control_characters(value):
            yield path


def _told(name: str) -> str:
    return name if name in _NOVU_S_OWN or name.casefold() in _IN_THE_HEAD else "*"


def _has_control_characters(text: str) -> bool:
    return any(character < " " or character in "\x7f\x85\u2028\u2029" for character in text)
