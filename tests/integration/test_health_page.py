"""The status page in a browser, and the other answers of the health server, over made-up observations."""

import re

import httpx
import pytest

from shared.health.observations import (
    DeliveryStates,
    FailedNotification,
    NovuObservation,
    RetriedDeliveries,
    SubscriptionState,
)
from tests.integration.chromium import Page
from tests.integration.health_scenes import ENTERPRISES, Scene, a_quarter_of_an_hour, ago, served

FAILURES = tuple(
    FailedNotification(notification_id=90_000 + number, enterprise_id="acme", code="expired", failed_at=ago(60))
    for number in range(20)
)

RETRIED = (RetriedDeliveries(enterprise_id="acme", code="novu_fault", rows=975, oldest_age_seconds=125.0),)


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


async def test_who_goes_by_keyboard_keeps_the_place_when_the_page_is_renewed(browser: Page) -> None:
    async with served(Scene()) as url:
        await browser.open(f"{url}/status")
        await browser.evaluate("window.first = document.querySelector('#status a'), first.focus()")
        assert await browser.evaluate("document.activeElement === first && !!first.href")

        await browser.renewed()

        assert await browser.evaluate("document.activeElement === first && first.isConnected")


async def test_who_is_at_a_link_that_moves_keeps_it(browser: Page) -> None:
    scene = Scene()
    async with served(scene) as url:
        await browser.open(f"{url}/status")
        link = "[...document.querySelectorAll('#enterprise-initech a')][0]"
        await browser.evaluate(f"{link}.focus()")

        scene.states["initech"] = SubscriptionState.FAILED

        await browser.wait_for("!document.querySelector('#well #enterprise-initech')")
        assert await browser.evaluate(f"document.activeElement === {link}")


async def test_a_reader_finds_everything_where_it_was_when_the_page_is_renewed(browser: Page) -> None:
    scene = Scene(orchestration="TERMINATED", due_rows=12, due_age_seconds=40, retried=RETRIED)
    async with served(scene) as url:
        await browser.show_as(1000, 400, dark=False)
        await browser.open(f"{url}/status")
        await browser.evaluate("window.told = document.getElementById('told')")
        await browser.evaluate("window.open_ = document.querySelector('#well'), open_.open = false")
        await browser.evaluate("scrollTo(0, 500)")
        assert await browser.evaluate("scrollY") == 500

        await browser.renewed()

        assert await browser.evaluate("scrollY") == 500
        assert not await browser.evaluate("document.querySelector('#well').open")
        await browser.evaluate("document.querySelector('#well').open = true")
        await browser.renewed()
        assert await browser.evaluate("document.querySelector('#well').open")
        assert await browser.evaluate("document.getElementById('told') === told && !told.closest('main')")


async def test_what_is_read_aloud_changes_only_when_there_is_something_to_tell(browser: Page) -> None:
    scene = Scene(orchestration="TERMINATED")
    async with served(scene) as url:
        await browser.open(f"{url}/status")
        assert await browser.evaluate("document.querySelector('[role=status]').textContent") == "unhealthy: ruleEngine"
        await browser.evaluate(
            "window.changes = 0, new MutationObserver(seen => { changes += seen.length })"
            ".observe(document.getElementById('told'), {childList: true, characterData: true, subtree: true})"
        )

        await browser.renewed()
        assert await browser.evaluate("changes") == 0

        scene.orchestration = "RUNNING"
        await browser.wait_for("document.getElementById('told').textContent === 'healthy'")


async def test_who_types_a_search_sees_at_once_whom_it_finds(browser: Page) -> None:
    scene = Scene(states={f"enterprise-{number}": SubscriptionState.SUBSCRIBED for number in range(40)})
    async with served(scene) as url:
        await browser.open(f"{url}/status")
        assert not await browser.evaluate("document.getElementById('well').open")

        await browser.evaluate("document.getElementById('search').focus()")
        await browser.type("prise-39")

        await browser.wait_for("document.querySelectorAll('tr[id^=enterprise-]').length === 1")
        await browser.renewed()
        shown = "[...document.querySelectorAll('tr[id^=enterprise-] th')].map(it => it.innerText).join()"
        assert await browser.evaluate(shown) == "enterprise-39"
        assert await browser.evaluate("document.activeElement.value") == "prise-39"


async def test_five_thousand_enterprises_many_of_them_unwell_are_readable_and_below_300_kilobytes(
    browser: Page,
) -> None:
    names = [f"enterprise-with-a-long-name-{number:04}" for number in range(5000)]
    states = {
        name: SubscriptionState.FAILED if place % 5 else SubscriptionState.SUBSCRIBED
        for place, name in enumerate(names)
    }
    retried = tuple(
        RetriedDeliveries(enterprise_id=name, code="novu_fault", rows=975, oldest_age_seconds=125.0) for name in names
    )
    scene = Scene(states=states, failures=FAILURES, retried=retried, temporal_error="no answer within 3 s")
    async with served(scene, history=a_quarter_of_an_hour()) as url:
        await browser.show_as(390, 800, dark=False)
        await browser.open(f"{url}/status")

        sizes = "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
        loaded = await browser.evaluate(f"{sizes}.map(it => [it.name, it.decodedBodySize])")
        shown = "document.querySelectorAll('#enterprises tbody tr').length"
        height = await browser.evaluate("document.documentElement.scrollHeight")

        assert await browser.evaluate(shown) == 100
        assert 50_000 < sum(size for name, size in loaded if not name.startswith("data:")) < 300_000, loaded
        assert height < 8_000, "ten screens of a phone"


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
