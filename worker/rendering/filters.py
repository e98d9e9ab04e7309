"""The filters of templates: Liquid's own, written anew where the library's show Python, and ours."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from worker.rendering.dates import format_date
from worker.rendering.decimal_filters import DECIMAL_FILTERS
from worker.rendering.html_sanitizing import sanitize_email, sanitize_inapp
from worker.rendering.list_filters import LIST_FILTERS
from worker.rendering.plain_text import html_to_text, sanitize_sms, to_text
from worker.rendering.subject import clean_subject, split_subject
from worker.rendering.template_errors import FilterRefused
from worker.rendering.text_filters import TEXT_FILTERS
from worker.rendering.value_text import json_text, liquid_text

_MARKDOWN_CHARACTERS: Final = 50_000
_INDENT_LIMIT: Final = 8

# Raw HTML in the Markdown is shown, not interpreted: the Markdown may come from a payload.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})


def markdown_to_html(value: object) -> Markup:
    """CommonMark as HTML that is not escaped again."""
    text = str(liquid_text(value))
    if len(text) > _MARKDOWN_CHARACTERS:
        raise FilterRefused("markdown_to_html", "takes shorter text")
    return Markup(_MARKDOWN.render(text))


def to_json(value: object, indent: object = None) -> str:
    """The value as JSON."""
    if indent is not None and not (isinstance(indent, int) and 0 <= indent <= _INDENT_LIMIT):
        raise FilterRefused("json", "takes an indent of 0 to 8")
    return json_text(value, indent)


def extract_subject(value: object) -> str:
    """The subject that a leading `Subject: ...` line names, or an empty string."""
    subject, _ = split_subject(str(liquid_text(value)))
    return clean_subject(subject or "")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    **DECIMAL_FILTERS,
    **LIST_FILTERS,
    **TEXT_FILTERS,
    "date": format_date,
    "extract_subject": extract_subject,
    "html_to_text": lambda value: html_to_text(str(liquid_text(value))),
    "json": to_json,
    "markdown_to_html": markdown_to_html,
    "sanitize_email": lambda value: Markup(sanitize_email(str(liquid_text(value)))),
    "sanitize_inapp": lambda value: Markup(sanitize_inapp(str(liquid_text(value)))),
    "sanitize_sms": lambda value: sanitize_sms(str(liquid_text(value))),
    "strip_html": lambda value: to_text(str(liquid_text(value))),
}
"""By name; of the library's own only `default` is left. Results are escaped like any value, unless Markup."""
