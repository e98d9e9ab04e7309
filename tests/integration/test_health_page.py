"""The status page in a browser, and the other answers of the health server, over made-up observations."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.health.observations import DeliveryStates, FailedNotification, NovuObservation, SubscriptionState
from tests.integration.chromium import Page, browsing, find_chromium
from tests.integration.health_scenes import ENTERPRISES, Scene, a_quarter_of_an_hour, ago, served

FAILURES = tuple(
    FailedNotification(notification_id=90_000 + number, enterprise_id="acme", code="expired", failed_at=ago(60))
    for number in range(20)
)


@pytest.fixture
async def browser() -> AsyncIterator[Page]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    async with browsing(chromium) as page:
        yield page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 800, 1000, 1280])
async def test_the_page_fits_every_screen_and_nothing_on_it_is_blocked(browser: Page, width: int, dark: bool) -> None:
    scene = Scene(
        states={"acme": SubscriptionState.CATCHING_UP, "a" * 64: SubscriptionState.FAILED},
        due_rows=1000,
        due_age_seconds=4_000,
        failures=FAILURES,
        delivery=DeliveryStates(rows=2000, states={"undelivered": 1999, "unknown": 1}, unheard_seconds=90_000),
        novu=NovuObservation(failing_since=ago(20), last_fault="HTTP 401: check NOVU_SECRET_KEY"),
    )

    async with served(scene, history=a_quarter_of_an_hour()) as url:
        await browser.show_as(width, 800, dark=dark)
        await browser.open(f"{url}/status")

        assert await browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await browser.evaluate("window.innerWidth") == width
        background = await browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background))) < 200) is dark
        assert await browser.evaluate("document.querySelectorAll('polyline').length") > 5
        assert browser.complaints == []


async def test_the_page_renews_itself_and_says_when_the_daemon_is_silent(browser: Page) -> None:
    scene = Scene()
    async with served(scene) as url:
        await browser.open(f"{url}/")
        assert await browser.evaluate("document.title") == "healthy · XNovu"

        scene.orchestration = "TERMINATED"

        await browser.wait_for("document.title.startsWith('unhealthy')")
        await browser.wait_for("document.body.innerText.includes('the orchestration workflow is TERMINATED')")

    await browser.wait_for("document.title.startsWith('no answer')")
    assert await browser.evaluate("!document.getElementById('silent').hidden")


async def test_what_comes_from_elsewhere_is_text_on_the_page(browser: Page) -> None:
    markup = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    async with served(Scene(temporal_error=markup)) as url:
        await browser.open(f"{url}/status")

        assert await browser.evaluate("document.body.innerText.includes('<img src=x')")
        assert await browser.evaluate("document.title") == "degraded · XNovu"
        assert await browser.evaluate("document.querySelectorAll('img').length") == 0


async def test_what_became_of_sent_rows_is_on_the_page_where_account_is_kept() -> None:
    delivery = DeliveryStates(rows=2000, states={"delivered": 1980, "partly": 20}, unheard_seconds=61.0)
    async with served(Scene(delivery=delivery)) as url, httpx.AsyncClient(base_url=url) as http:
        page = (await http.get("/status", headers={"Accept": "text/html"})).text
        told = (await http.get("/status")).json()["delivery"]
    async with served(Scene()) as url, httpx.AsyncClient(base_url=url) as http:
        without = (await http.get("/status", headers={"Accept": "text/html"})).text

    assert re.search(r'<th scope="row">partly</th><td class="n">20</td>', page)
    assert re.search(r'nothing heard of the oldest for</th><td class="n">1 min', page)
    assert told == {"rows": 2000, "states": {"delivered": 1980, "partly": 20}, "unheard_seconds": 61.0}
    assert "What became of them" in page
    assert "What became of them" not in without


async def test_every_page_has_a_policy_of_its_own_that_allows_nothing_from_elsewhere() -> None:
    async with served(Scene()) as url, httpx.AsyncClient(base_url=url, headers={"Accept": "text/html"}) as http:
        first, second = await http.get("/status"), await http.get("/status")

    policy = first.headers["Content-Security-Policy"]
    assert policy != second.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="(?!/|data:|http://127\.0\.0\.1:8233)[^"]*"', first.text) == []


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html", "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("", "application/json"),
    ],
)
async def test_a_browser_gets_the_page_and_everybody_else_json(accept: str, content_type: str) -> None:
    async with served(Scene()) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.get("/status", headers={"Accept": accept})

    assert answer.headers["Content-Type"].partition(";")[0] == content_type
    assert answer.headers["Vary"] == "Accept"


async def test_each_path_answers_by_what_it_is_for() -> None:
    scene = Scene(states=dict.fromkeys(ENTERPRISES, SubscriptionState.FAILED))
    async with served(scene) as url, httpx.AsyncClient(base_url=url) as http:
        codes = {
            path: (await http.get(path)).status_code
            for path in ("/health", "/status", "/livez", "/readyz", "/metrics", "/elsewhere")
        }
        written = await http.post("/health")

    assert codes == {
        "/health": 503,
        "/status": 200,
        "/livez": 200,
        "/readyz": 503,
        "/metrics": 200,
        "/elsewhere": 404,
    }
    assert written.status_code == 405
