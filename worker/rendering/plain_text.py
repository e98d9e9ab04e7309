"""Text for the channels without markup: SMS, push and chat."""

import html
import re
from typing import Final

import nh3

from worker.rendering.html_bounds import require_parseable

_PASSES: Final = 8
"""Times that tags are removed and entities decoded. Each pass can uncover what an entity hid (`&amp;lt;`)."""

_STRIPPER: Final = nh3.Cleaner(tags=set(), attributes={}, link_rel=None)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u2029\u2060\ufeff]")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_LINE_SPACE: Final = re.compile(r"[ \t]+\n")

_NORMALISED: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′‹›", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "…": "...",
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
    }
)

_AUTOLINK: Final = re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>", re.IGNORECASE)
# A Markdown link or reference to an address with a scheme; the break that makes it plain text again goes in between.
_UNSAFE_LINK: Final = re.compile(r"\](?=[(:]\s*<?\s*(?!(?:https?|mailto):)[^\s()/?#]*:)", re.IGNORECASE)

_LINE_END: Final = re.compile(
    r"<br\s*/?>|</(?:p|div|h[1-6]|li|tr|table|ul|ol|blockquote|pre|section)\s*>", re.IGNORECASE
)
_LIST_ITEM: Final = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)


def strip_tags(text: str) -> str:
    """The text without tags, entities decoded; nothing that looks like a tag is left. Repeating it changes nothing."""
    for _ in range(_PASSES):
        stripped = _CONTROL.sub("", text)
        if "<" in stripped or "&" in stripped:
            require_parseable(stripped)
            stripped = html.unescape(_STRIPPER.clean(stripped))
        if stripped == text:
            return text
        text = stripped
    # Nobody honest hides entities in entities eight deep.
    return _CONTROL.sub("", text).replace("<", "").replace("&", "")


def html_to_text(text: str) -> str:
    """HTML as plain text that keeps its lines: blocks end in a line break, list items begin with a dash."""
    lined = _LIST_ITEM.sub("- ", " ".join(text.split()))
    lines = (" ".join(line.split()) for line in strip_tags(_LINE_END.sub("\n", lined)).splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def sanitize_sms(text: str) -> str:
    """One line without tags, with the plain quotes, dashes and spaces that fit the GSM alphabet."""
    while (line := " ".join(strip_tags(text).translate(_NORMALISED).split())) != text:
        text = line
    return text


def sanitize_push(text: str) -> str:
    """Text without tags; its lines stay, without trailing space and with at most one empty line between."""
    return _BLANK_LINES.sub("\n\n", _LINE_SPACE.sub("\n", strip_tags(text))).strip()


def sanitize_chat(text: str) -> str:
    """Markdown without HTML, whose links lead to http, https and mail addresses only."""
    while (safe := _UNSAFE_LINK.sub("] ", sanitize_push(_AUTOLINK.sub(r"\1", text)))) != text:
        text = safe
    return text
