"""A page that shows what was rendered as a browser would, each message in a frame that may do nothing."""

import os
import tempfile
import webbrowser
from collections.abc import Mapping
from html import escape
from pathlib import Path

from shared.notification.models import Channel
from worker.rendering.renderer import RenderedContent
from worker.rendering.request import RenderRequest

_SHOWN = (Channel.EMAIL, Channel.IN_APP)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
iframe {{ background: white; border: 1px solid #888; height: 70vh; width: 100% }}
</style>
</head>
<body>
<h1>{title}</h1>
{messages}
</body>
</html>
"""

_MESSAGE = """<section>
<h2>{channel}</h2>
<p>Subject: {subject}</p>
<iframe sandbox="" title="{channel}" srcdoc="{body}"></iframe>
</section>"""


def show(request: RenderRequest, contents: Mapping[Channel, RenderedContent]) -> str:
    """Write the page of email and in-app, open it in a browser, and say where it is or why there is none."""
    if not any(channel in contents for channel in _SHOWN):
        return "Nothing to open: neither EMAIL nor IN_APP was rendered."
    descriptor, name = tempfile.mkstemp(prefix="xnovu-preview-", suffix=".html")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(page(request, contents))
    opened = webbrowser.open(Path(name).as_uri())
    return f"Opened {name}" if opened else f"No browser could be started; open {name}"


def page(request: RenderRequest, contents: Mapping[Channel, RenderedContent]) -> str:
    """The page. Frames without any permission: no script, no form, no way out, as strange a text may be."""
    messages = [
        _MESSAGE.format(channel=channel.value, subject=escape(content.subject or "(none)"), body=escape(content.body))
        for channel, content in contents.items()
        if channel in _SHOWN
    ]
    return _PAGE.format(title=escape(request.workflow.key), messages="\n".join(messages))
