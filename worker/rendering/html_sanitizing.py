"""The HTML that an email and an in-app message may carry."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import nh3

from worker.rendering.budget import LimitExceeded
from worker.rendering.html_bounds import require_parseable, without_drawings
from worker.rendering.html_links import mark_external_links, normalise_address
from worker.rendering.html_markup import (
    EMAIL_ATTRIBUTES,
    EMAIL_TAGS,
    IN_APP_ATTRIBUTES,
    IN_APP_TAGS,
    NEVER_SHOWN,
    without_overlay_classes,
)
from worker.rendering.html_shell import opening_of
from worker.rendering.inline_style import clean_style

_ADDRESSES: Final = frozenset({"href", "src"})
_DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)

_PASSES: Final = 8
"""The most times a text is cleaned. Two or three do for the worst that people write."""


def _filter_email_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return clean_style(value) or None
    if attribute in _ADDRESSES:
        address = normalise_address(value)
        if address[:5].lower() == "data:" and not (tag == "img" and _DATA_IMAGE.fullmatch(address)):
            return None
        return address
    return value


def _filter_in_app_attribute(_tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class":
        return without_overlay_classes(value) or None
    return normalise_address(value) if attribute in _ADDRESSES else value


_EMAIL: Final = nh3.Cleaner(
    tags=EMAIL_TAGS,
    clean_content_tags=NEVER_SHOWN,
    attributes=EMAIL_ATTRIBUTES,
    attribute_filter=_filter_email_attribute,
    url_schemes={"http", "https", "mailto", "tel", "data"},
    link_rel=None,
)
_IN_APP: Final = nh3.Cleaner(
    tags=IN_APP_TAGS,
    clean_content_tags=NEVER_SHOWN,
    attributes=IN_APP_ATTRIBUTES,
    attribute_filter=_filter_in_app_attribute,
    url_schemes={"http", "https", "mailto"},
    link_rel=None,
)


@dataclass(frozen=True, slots=True)
class HtmlRules:
    """What a channel carries: its elements, their attributes (`*`: of all), and one pass of its sanitiser."""

    tags: frozenset[str]
    attributes: Mapping[str, frozenset[str]]
    clean: Callable[[str], str]


EMAIL_RULES: Final = HtmlRules(EMAIL_TAGS, EMAIL_ATTRIBUTES, _EMAIL.clean)
IN_APP_RULES: Final = HtmlRules(IN_APP_TAGS, IN_APP_ATTRIBUTES, _IN_APP.clean)


def sanitize_email(html: str) -> str:
    """Ordinary document markup with inline style; scripts, event handlers and other addresses are gone.

    Of a document, what its `body` shows stays, in a `div` with what `html` and `body` say of direction, language and
    style. Raises LimitExceeded.
    """
    return _clean(_EMAIL, html, opening_of(html))


def sanitize_inapp(html: str) -> str:
    """The small markup of an in-app message. Raises LimitExceeded."""
    return _clean(_IN_APP, html)


def _clean(cleaner: nh3.Cleaner, html: str, opening: str = "") -> str:
    """Clean until nothing changes: without an element that went, a browser may read the rest as another tree."""
    html = opening + without_drawings(html)
    for _ in range(_PASSES):
        require_parseable(html)
        cleaned = cleaner.clean(html)
        if cleaned == html:
            return mark_external_links(cleaned)
        html = cleaned
    raise LimitExceeded("html_nesting")
