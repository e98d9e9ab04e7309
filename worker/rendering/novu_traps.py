"""Rendered text as Novu takes it: so that what arrives is what was written (docs/novu.md). Pure.

Novu puts a text into JSON that it repairs and parses, looks for tags and translation keys in it, and renders an email's
HTML once more.
"""

import json
import re

from shared.notification.models import Channel
from worker.rendering.renderer import RenderedContent

_REFUSED_CONTROLS = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")
_BEGINS_A_TAG = re.compile(r"\{(?=[{%])")


def escape_traps(channel: Channel, content: RenderedContent) -> RenderedContent:
    """The content without what Novu would evaluate, refuse or take for something else.

    HTML (which has no style sheets here) says the same with character references. In other text a space comes between
    what must not stand together. Control characters that no JSON of Novu's can hold are gone.
    """
    body = _html(content.body) if channel is Channel.EMAIL else _text(content.body)
    return RenderedContent(subject=None if content.subject is None else _text(content.subject), body=body)


def _html(text: str) -> str:
    text = _BEGINS_A_TAG.sub("&#123;", _REFUSED_CONTROLS.sub("", text)).replace("[T:", "&#91;T:")
    # What is JSON is taken for a document of Novu's block editor.
    return f"<div>{text}</div>" if _is_json(text) else text


def _text(text: str) -> str:
    text = _REFUSED_CONTROLS.sub("", text).replace("[T:", "[ T:")
    # Novu minds only a tag that is not closed: one after the last end of a tag.
    closed = max(text.rfind("%}") - 1, 0)
    return text[:closed] + text[closed:].replace("{%", "{ %")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
