"""What became of one notification, in a browser: where the inbox of `--dev` links to."""

import html
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.ports import StoreUnavailable

Tracing = Callable[[str], Awaitable[Sequence[str] | None]]
"""What `xnovu trace` says of the notification with this id, or this transaction id at Novu; None: there is none."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Trace · XNovu</title>
</head>
<body>
<main>
<h1>Trace</h1>
<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>
<p><a href="/status">status</a></p>
</main>
</body>
</html>
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class TracePage:
    """Answers `?id=`: a row's id, or a transaction id."""

    def __init__(self, trace: Tracing) -> None:
        self._trace = trace

    async def show(self, request: Request) -> Response:
        """200, or 404 where there is no such notification, 503 where nobody can be asked."""
        asked = request.query_params.get("id", "")
        try:
            lines, code = await self._trace(asked), 200
        except StoreUnavailable as error:
            lines, code = [f"Supabase cannot be asked: {error}"], 503
        if lines is None:
            lines, code = [f"There is no notification {asked!r} here."], 404
        page = _PAGE.format(html.escape("\n".join(lines)))
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return HTMLResponse(page, code, headers=headers)
