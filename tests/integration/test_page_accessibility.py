"""axe-core finds nothing on the pages, in light and dark, narrow and wide, healthy and in trouble."""

import pytest

from shared.health.observations import DeliveryStates, FailedNotification, NovuObservation, RetriedDeliveries
from shared.health.observations import SubscriptionState as State
from tests.integration.accessibility import axe_core, findings
from tests.integration.chromium import Page
from tests.integration.health_scenes import ENTERPRISES, Scene, a_quarter_of_an_hour, ago, served

MANY = {f"enterprise-{number}": State.SUBSCRIBED for number in range(30)}


def in_trouble() -> Scene:
    """With something in every table, and every state."""
    states = dict(zip(MANY, [State.FAILED, State.CATCHING_UP, State.RECONNECTING] * 8, strict=False))
    return Scene(
        states=MANY | states,
        orchestration="TERMINATED",
        due_rows=1000,
        due_age_seconds=4_000,
        failures=tuple(
            FailedNotification(
                notification_id=number,
                enterprise_id=f"enterprise-{number}",
                code="template_undefined_variable",
                failed_at=ago(60),
                template="order-shipped",
            )
            for number in range(5)
        ),
        retried=(RetriedDeliveries(enterprise_id="enterprise-7", code="novu_fault", rows=975, oldest_age_seconds=125),),
        delivery=DeliveryStates(rows=2000, states={"undelivered": 1999, "unknown": 1}, unheard_seconds=90_000),
        novu=NovuObservation(failing_since=ago(20), last_fault="HTTP 401: check NOVU_SECRET_KEY"),
    )


async def test_it_would_find_something(browser: Page) -> None:
    source = axe_core()
    async with served(Scene()) as url:
        await browser.open(f"{url}/status")
        await browser.evaluate(
            "document.querySelector('h1').style.color = '#bbb', document.querySelector('h1').after('x')"
        )

        found = await findings(browser, source)

    assert len([each for each in found if "color-contrast" in each]) >= 2


@pytest.mark.parametrize("scene", [Scene(), in_trouble()], ids=["healthy", "in trouble"])
async def test_the_status_page(browser: Page, scene: Scene) -> None:
    source = axe_core()
    async with served(scene, history=a_quarter_of_an_hour()) as url:
        await browser.open(f"{url}/status")
        await browser.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")

        assert await findings(browser, source) == []


async def test_the_status_page_of_a_database_that_has_fallen_silent_and_of_a_daemon_that_has(browser: Page) -> None:
    source = axe_core()
    scene = Scene(states=dict.fromkeys(ENTERPRISES, State.SUBSCRIBED))
    async with served(scene) as url:
        await browser.open(f"{url}/status")
        scene.database_error = "HTTP 503"
        await browser.wait_for("document.querySelectorAll('.old').length === 3")
        await browser.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
        assert await findings(browser, source) == []

    await browser.wait_for("!document.getElementById('silent').hidden")
    assert await findings(browser, source) == []
