"""Text for the channels without markup, made of a template's text that may hold HTML and of values that hold none."""

import html
import re
from html.entities import html5
from typing import Final

import nh3

from worker.rendering.html_bounds import require_parseable, without_drawings
from worker.rendering.html_markup import NEVER_SHOWN
from worker.rendering.text_marks import mark_text, unmark

_STRIPPER: Final = nh3.Cleaner(tags=set(), attributes={}, clean_content_tags=NEVER_SHOWN, link_rel=None)

# Entities count only with their semicolon: HTML also reads `&region=eu`, in an address, as `®ion=eu`.
_ENTITY: Final = re.compile(r"&(?P<name>#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{1,31};)")
_ADDRESS: Final = re.compile(r"<(?:https?://|mailto:|[\w.+%-]+@[\w-]+\.)[^\s<>]*>", re.IGNORECASE)
"""An address in angle brackets, as people and Markdown write it: no element has such a name."""

# Form feeds are white space to HTML, so it moves them nowhere, and no text holds them.
_SOFT_BREAK: Final = "\f"
_HARD_BREAK: Final = "\ufddf"
_BEFORE_BLOCK: Final = re.compile(
    r"(?=</?(?:address|article|blockquote|center|div|dd|dl|dt|footer|form|h[1-6]|header|hr|li|main|ol|p|pre|section|"
    r"table|tr|ul)\b)",
    re.IGNORECASE,
)
_BEFORE_BREAK: Final = re.compile(r"(?=<br\b)", re.IGNORECASE)
_BEFORE_CELL: Final = re.compile(r"(?=<t[dh]\b)", re.IGNORECASE)
_ITEM: Final = re.compile(r"(?P<tag><li\b[^<>]*>)", re.IGNORECASE)

_SOFT_BREAKS: Final = re.compile(r"(?<![ \t\f])[ \t\f]*\f[ \t\f]*")
_HARD_BREAKS: Final = re.compile(rf"{_HARD_BREAK}[ \t]*\n?")

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u202a-\u202e\u2060\ufeff]")
"""Control characters, invisible ones, and those that write over the reading direction."""

_LINE_ENDS: Final = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_LINE_SPACE: Final = re.compile(r"(?<![ \t])[ \t]+\n")

_NORMALISED: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′‹›", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "…": "...",
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
    }
)


def decode_entities(text: str) -> str:
    """The text with its entities decoded, once; only those that end in a semicolon are any."""
    return _ENTITY.sub(_decoded, text)


def strip_markup(markup: str) -> str:
    """HTML as text, with the marks of values left in: tags are gone, entities decoded once, blocks end their line.

    Raises LimitExceeded for markup nested too deeply.
    """
    markup = _LINE_ENDS.sub("\n", markup.replace("\f", " "))
    markup = _ENTITY.sub(lambda found: mark_text(_decoded(found)), markup)
    if "<" in markup:
        markup = _ADDRESS.sub(lambda found: mark_text(found.group()), without_drawings(markup))
        markup = markup.replace("\u00a0", mark_text("\u00a0")).replace("&", mark_text("&"))
        require_parseable(markup)
        markup = _ITEM.sub(r"\g<tag>- ", _BEFORE_CELL.sub(" ", _BEFORE_BREAK.sub(_HARD_BREAK, markup)))
        markup = _BEFORE_BLOCK.sub(_SOFT_BREAK, markup)
        text = _STRIPPER.clean(markup).replace("&lt;", "<").replace("&gt;", ">")  # it escapes nothing else here
        markup = _SOFT_BREAKS.sub(_line_end, _HARD_BREAKS.sub("\n", text))
    return _CONTROL.sub("", markup)


def to_text(markup: str) -> str:
    """What a template wrote, as text: its own tags are gone, its values are what they were."""
    return unmark(strip_markup(markup))


def html_to_text(text: str) -> str:
    """HTML as plain text that keeps its lines: blocks end in a line break, list items begin with a dash."""
    lines = (" ".join(line.split()) for line in to_text(" ".join(text.split())).splitlines())
    return tidy_lines("\n".join(lines))


def tidy_lines(text: str) -> str:
    """The text without trailing space and with at most one empty line between two others."""
    return _BLANK_LINES.sub("\n\n", _LINE_SPACE.sub("\n", text)).strip()


def sanitize_sms(markup: str) -> str:
    """Lines without tags, none empty, no runs of space; quotes, dashes and spaces are those of the GSM alphabet."""
    lines = (" ".join(line.split()) for line in to_text(markup).translate(_NORMALISED).splitlines())
    return "\n".join(line for line in lines if line)


def sanitize_push(markup: str) -> str:
    """Text without tags; its lines stay, without trailing space and with at most one empty line between."""
    return tidy_lines(to_text(markup))


def _decoded(found: re.Match[str]) -> str:
    name = found["name"]
    return html.unescape(found.group()) if name.startswith("#") or name in html5 else found.group()


def _line_end(found: re.Match[str]) -> str:
    """A block's edge is a line's end, unless there is one already."""
    before, after = found.string[max(found.start() - 1, 0) : found.start()], found.string[found.end() : found.end() + 1]
    return "" if before in {"", "\n"} or after in {"", "\n"} else "\n"
