"""The routes. Every answer is made from what was observed last; none asks anybody outside this process, but `/trace`,
which there is with `--dev` only.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cli.health_server.history import History
from cli.health_server.hosts import OnlyOurHosts
from cli.health_server.page import StatusPage
from cli.health_server.trace_page import TracePage, Tracing
from shared import telemetry
from shared.health.assessment import is_ready, report_status
from shared.health.report import StatusReport
from shared.health.shown import Wanted
from shared.health_monitor import HealthMonitor

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_FOR_NOBODY_ELSE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def application(
    monitor: HealthMonitor,
    history: History,
    page: StatusPage,
    *,
    host_names: Collection[str] = (),
    trace: Tracing | None = None,
) -> Starlette:
    """The whole of it; `host_names`: what it may be called besides localhost and its addresses. `trace`: only where
    asking the database costs nobody anything.
    """
    answers = _Answers(monitor, history, page)
    return Starlette(
        routes=[
            Route("/", answers.status),
            Route("/health", answers.health),
            Route("/status", answers.status),
            Route("/metrics", answers.metrics),
            Route("/livez", answers.livez),
            Route("/readyz", answers.readyz),
            *([Route("/trace", TracePage(trace).show)] if trace else []),
        ],
        middleware=[Middleware(OnlyOurHosts, host_names)],
    )


class _Answers:
    def __init__(self, monitor: HealthMonitor, history: History, page: StatusPage) -> None:
        self._monitor = monitor
        self._history = history
        self._page = page

    async def health(self, _: Request) -> Response:
        """200 for healthy and degraded, 503 for unhealthy."""
        health = self._report().health
        return JSONResponse(health.to_json(), health.http_status, headers=_FOR_NOBODY_ELSE)

    async def status(self, request: Request) -> Response:
        """200 whatever the health: a page for a browser, JSON otherwise."""
        report = self._report()
        headers = {**_FOR_NOBODY_ELSE, "Vary": "Accept"}
        if not wants_html(request.headers.get("accept", "")):
            return JSONResponse(report.to_json(wanted(request.query_params)), headers=headers)
        html, policy = self._page.render(
            report.to_json(wanted(request.query_params)), self._history.samples, report.observed_at
        )
        return HTMLResponse(html, headers={**headers, "Content-Security-Policy": policy})

    async def metrics(self, _: Request) -> Response:
        """What docs/metrics.md lists, for Prometheus."""
        return Response(telemetry.prometheus_text(), media_type=PROMETHEUS, headers=_FOR_NOBODY_ELSE)

    async def livez(self, _: Request) -> Response:
        """That this is answered is all it says: our event loop turns. A restart would mend nothing else."""
        return PlainTextResponse("alive\n", headers=_FOR_NOBODY_ELSE)

    async def readyz(self, _: Request) -> Response:
        """200 when what is written now goes out at once."""
        ready = is_ready(self._monitor.observations(), datetime.now(UTC))
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503, _FOR_NOBODY_ELSE)

    def _report(self) -> StatusReport:
        return report_status(self._monitor.observations(), datetime.now(UTC))


def wanted(query: Mapping[str, str]) -> Wanted:
    """Which enterprises are asked for; what cannot be meant is as if it had not been said."""
    page = query.get("page", "")
    return Wanted(query.get("search", "")[:64], int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1)


def wants_html(accept: str) -> bool:
    """Whether a browser asks: it names text/html, ahead of JSON. What accepts anything gets JSON."""
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/html" not in ranges:
        return False
    return "application/json" not in ranges or ranges.index("text/html") < ranges.index("application/json")
