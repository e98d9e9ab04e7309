"""What HTML may cost: looked at before any of it is parsed, in time that grows with its length and no faster."""

import re
from collections import Counter
from typing import Final

from worker.rendering.budget import LimitExceeded
from worker.rendering.html_markup import CLOSED_BY_OTHERS

_OPEN_TAGS: Final = 150
"""The most elements open at once. HTML's repair rules copy open elements, which a hostile text can multiply."""
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")

_ESCAPES: Final = 30_000
"""The most `&` and no-break spaces. The parser's work grows with the square of how many stand together, and each makes
five or six characters of the result: so many more would not fit into an email anyway.
"""

_SVG: Final = re.compile(r"<(/?)svg(?=[\s/>])[^<>]*?(/?)>", re.IGNORECASE)


def require_parseable(html: str) -> None:
    """Raise LimitExceeded for HTML that would cost its parser more than any document does."""
    if html.count("&") + html.count("\u00a0") > _ESCAPES:
        raise LimitExceeded("html_escapes")
    balance: Counter[str] = Counter()
    unclosed = 0
    for slash, name in _TAG.findall(html):
        name = name.lower()
        if name in CLOSED_BY_OTHERS:
            continue
        if slash:
            if balance[name]:
                balance[name] -= 1
                unclosed -= 1
        else:
            balance[name] += 1
            unclosed += 1
            if unclosed > _OPEN_TAGS:
                raise LimitExceeded("html_nesting")


def without_drawings(html: str) -> str:
    """The text without its `svg` elements: no channel carries them, and their shapes close themselves, which elements
    of HTML do not. What has no end stays, for the sanitiser to take.
    """
    if "<svg" not in html.lower():
        return html
    kept, position, depth = [], 0, 0
    for tag in _SVG.finditer(html):
        closes, closes_itself = tag.groups()
        if closes:
            if depth == 1:
                position = tag.end()
            depth = max(0, depth - 1)
        else:
            if depth == 0:
                kept.append(html[position : tag.start()])
                position = tag.end() if closes_itself else tag.start()
            if not closes_itself:
                depth += 1
    return "".join([*kept, html[position:]])
