"""What people and their editors put into tags that no template language reads, and what to write instead.

Only signs are quoted, and names of tags: nothing of what a template says.
"""

import re
from html.entities import html5
from typing import Final

from liquid import Token
from liquid.token import TOKEN_TAG

_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}[0-9]{0,2});")
_TYPOGRAPHIC_QUOTES: Final = "“”„‟‘’‚‛«»‹›″′"
_TYPOGRAPHIC_QUOTE: Final = re.compile(f"[{_TYPOGRAPHIC_QUOTES}]")
_REST_OF_TAG: Final = re.compile(r"[^{}%]*")
_TAG_BEFORE: Final = re.compile(r"\{%-?\s{0,20}(?P<name>\w{1,20})\s{0,20}\Z")


def culprit(token: Token | None, message: str) -> str | None:
    """What stands at the place of a syntax error, if it is known what it is; `message` is the library's."""
    if token is None or token.start_index < 0:
        return None
    source, start = token.source, token.start_index
    rest = _REST_OF_TAG.match(source, start)
    character = source[start : start + 1]
    if (entity := _ENTITY.match(source, start)) and (entity.group()[1] == "#" or entity.group()[1:] in html5):
        return f"`{entity.group()}` is an editor's entity; inside a tag write the character itself"
    if source.startswith("{{{", max(start - 2, 0)):
        return "`{{{`: write `{{`, and `safe` as the last filter for what should not be escaped"
    if character in _TYPOGRAPHIC_QUOTES or character in "\"'":
        quote = _TYPOGRAPHIC_QUOTE.search(rest.group()) if rest else None
        return f"`{quote.group()}` is a typographic quote; write \" or '" if quote else None
    if character.isspace() and character not in " \t\n\r":
        return f"there is an unusual space (U+{ord(character):04X}); write a plain one"
    if message.startswith("expected tag end") and token.kind == TOKEN_TAG and token.value in {"else", "elsif"}:
        return f"`{token.value}` behind `else` is never reached"
    if message == "expected content, found expression" and (
        tag := _TAG_BEFORE.search(source[max(start - 60, 0) : start])
    ):
        return f"`{tag['name']}` takes nothing behind it"
    return None
