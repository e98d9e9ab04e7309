"""The trace of one notification in a browser, where the inbox links to."""

from collections.abc import Sequence

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from cli.health_server.application import application
from cli.health_server.history import History
from cli.health_server.page import StatusPage
from cli.health_server.trace_page import TracePage
from shared.health_monitor import HealthMonitor
from shared.ports import StoreUnavailable
from tests.integration.health_scenes import Scene, SceneDatabase, SceneTemporal, a_process


async def trace(wanted: str) -> Sequence[str] | None:
    if wanted == "away":
        raise StoreUnavailable("HTTP 503")
    return ["notification 42 of acme: SENT", "<b>"] if wanted == "42" else None


def asking(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


async def test_it_says_what_the_command_says_as_text() -> None:
    async with asking(Starlette(routes=[Route("/trace", TracePage(trace).show)])) as http:
        found = await http.get("/trace?id=42")
        nothing = [(await http.get(path)).status_code for path in ("/trace?id=<i>", "/trace", "/trace?id=away")]

    assert found.status_code == 200
    assert "notification 42 of acme: SENT\n&lt;b&gt;" in found.text
    assert nothing == [404, 404, 503]
    assert "default-src 'none'" in found.headers["Content-Security-Policy"]


async def test_there_is_none_but_where_one_may_ask() -> None:
    monitor = HealthMonitor(SceneDatabase(Scene()), SceneTemporal(Scene()), a_process)
    page = StatusPage(None, "default")

    async with (
        asking(application(monitor, History(), page)) as without,
        asking(application(monitor, History(), page, trace=trace)) as with_traces,
    ):
        codes = [(await http.get("/trace?id=42")).status_code for http in (without, with_traces)]

    assert codes == [404, 200]
