"""The HTML that an email and an in-app message may carry."""

import re
from collections import Counter
from typing import Final

import nh3

from worker.rendering.budget import LimitExceeded
from worker.rendering.html_markup import (
    CLOSED_BY_OTHERS,
    EMAIL_ATTRIBUTES,
    EMAIL_TAGS,
    IN_APP_ATTRIBUTES,
    IN_APP_TAGS,
)
from worker.rendering.inline_style import clean_style

_DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_IGNORED_IN_ADDRESS: Final = re.compile(r"[\x00-\x20]+")

# nh3 writes attributes in this one form, so an anchor can be found in its output without parsing again.
_ANCHOR: Final = re.compile(r'<a((?: [^\s=>"]+="[^"]*")*)>')
_WEB_HREF: Final = re.compile(r' href="\s*(?:https?:|[/\\]{2})', re.IGNORECASE)

_PASSES: Final = 8
"""The most times a text is cleaned. Two or three do for the worst that people write."""

_OPEN_TAGS: Final = 150
"""The most elements open at once. HTML's repair rules copy open elements, which a hostile text can multiply."""
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")


def _filter_email_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return clean_style(value) or None
    if attribute in {"href", "src"} and _IGNORED_IN_ADDRESS.sub("", value).lower().startswith("data:"):
        return value if tag == "img" and _DATA_IMAGE.fullmatch(value) else None
    return value


_EMAIL: Final = nh3.Cleaner(
    tags=EMAIL_TAGS,
    attributes=EMAIL_ATTRIBUTES,
    attribute_filter=_filter_email_attribute,
    url_schemes={"http", "https", "mailto", "tel", "data"},
    link_rel=None,
)
_IN_APP: Final = nh3.Cleaner(
    tags=IN_APP_TAGS,
    attributes=IN_APP_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel=None,
)


def sanitize_email(html: str) -> str:
    """Ordinary document markup with inline style; scripts, event handlers and other addresses are gone.

    A document's shell (`html`, `head`, `body`) goes, its content stays. Raises LimitExceeded.
    """
    return _clean(_EMAIL, html)


def sanitize_inapp(html: str) -> str:
    """The small markup of an in-app message. Raises LimitExceeded."""
    return _clean(_IN_APP, html)


def require_few_open_tags(html: str) -> None:
    """Raise LimitExceeded when more elements are open at once than any document needs."""
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


def _clean(cleaner: nh3.Cleaner, html: str) -> str:
    """Clean until nothing changes: without an element that went, a browser may read the rest as another tree."""
    for _ in range(_PASSES):
        require_few_open_tags(html)
        cleaned = cleaner.clean(html)
        if cleaned == html:
            return _ANCHOR.sub(_mark_external, cleaned)
        html = cleaned
    raise LimitExceeded("html_nesting")


def _mark_external(anchor: re.Match[str]) -> str:
    attributes = anchor.group(1)
    if not _WEB_HREF.search(attributes):
        return anchor.group()
    return f'<a{attributes} target="_blank" rel="noopener noreferrer">'
