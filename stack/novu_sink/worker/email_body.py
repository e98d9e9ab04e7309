"""What becomes of an email's body after its controls are rendered: a block document, or HTML rendered once more."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

import nh3

from stack.novu_sink.worker.rendering import render_text

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SCHEMES = {"http", "https", "ftp", "mailto", "tel", "cid"}
_BRANDING = '<p>Powered by <a href="https://novu.co">Novu</a></p>'
_BLOCKS = {"paragraph": "p", "bulletList": "ul", "orderedList": "ol", "listItem": "li", "blockquote": "blockquote"}


def email_html(body: str, context: Mapping[str, Any], *, sanitise: bool, branding: bool) -> str:
    """The mail's HTML. A body that is JSON is taken for the block editor's document, whatever the editor.

    Raises:
        RenderingFailed: Liquid in a value that cannot be rendered the second time.
    """
    try:
        content = _document(json.loads(body))
    except ValueError:
        content = render_text(body, context)
    content = _COMMENT.sub("", content)
    if sanitise:
        content = sanitised(content)
    if branding:
        content = content.replace("</body>", f"{_BRANDING}</body>") if "</body>" in content else content + _BRANDING
    return content


def sanitised(text: str) -> str:
    """Without scripts, event attributes, unknown tags and addresses of other schemes; plain text becomes HTML text."""
    return nh3.clean(text, url_schemes=_SCHEMES)


def _document(document: Any) -> str:
    """A block document as HTML; nothing for JSON that is none."""
    if not isinstance(document, Mapping):
        return ""
    inner = "".join(map(_document, document.get("content") or []))
    match document.get("type"):
        case "text":
            return html.escape(str(document.get("text", "")), quote=False)
        case "doc":
            return inner
        case "heading":
            return f"<h1>{inner}</h1>"
        case kind if kind in _BLOCKS:
            return f"<{_BLOCKS[kind]}>{inner}</{_BLOCKS[kind]}>"
        case _:
            return inner
