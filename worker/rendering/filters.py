"""The filters templates have beyond standard Liquid."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from worker.rendering.dates import format_date
from worker.rendering.html_sanitizing import sanitize_email, sanitize_inapp
from worker.rendering.plain_text import html_to_text, sanitize_sms, strip_tags
from worker.rendering.subject import clean_subject, split_subject
from worker.rendering.template_errors import FilterRefused

_MARKDOWN_CHARACTERS: Final = 50_000
_INDENT_LIMIT: Final = 8

# Raw HTML in the Markdown is shown, not interpreted: the Markdown may come from a payload.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})


def _text(value: object) -> str:
    return "" if value is None else str(value)


def markdown_to_html(value: object) -> Markup:
    """CommonMark as HTML that is not escaped again."""
    text = _text(value)
    if len(text) > _MARKDOWN_CHARACTERS:
        raise FilterRefused("markdown_to_html", "takes shorter text")
    return Markup(_MARKDOWN.render(text))


def to_json(value: object, indent: object = None) -> str:
    """The value as JSON."""
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= _INDENT_LIMIT):
        raise FilterRefused("json", "takes an indent of 0 to 8")
    return json.dumps(value, ensure_ascii=False, indent=indent)


def extract_subject(value: object) -> str:
    """The subject that a leading `Subject: ...` line names, or an empty string."""
    subject, _ = split_subject(_text(value))
    return clean_subject(subject or "")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "date": format_date,
    "extract_subject": extract_subject,
    "html_to_text": lambda value: html_to_text(_text(value)),
    "json": to_json,
    "markdown_to_html": markdown_to_html,
    "sanitize_email": lambda value: Markup(sanitize_email(_text(value))),
    "sanitize_inapp": lambda value: Markup(sanitize_inapp(_text(value))),
    "sanitize_sms": lambda value: sanitize_sms(_text(value)),
    "strip_html": lambda value: strip_tags(_text(value)),
}
"""By name; they replace standard filters of the same name. Results are escaped like any value, unless Markup."""
