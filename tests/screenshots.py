"""`make screenshots`: the status page of a real deployment under load and in trouble, narrow and wide, light and dark.

Forty enterprises, a daemon, and a listener and a worker more, on this machine; rows for minutes, some of which no
template can render; then Novu fails. What the pictures in docs/ show is what was observed.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.sample_data import insert_notifications
from tests.e2e.health_deployment import Deployment, running_deployment
from tests.integration.chromium import Page, find_chromium, running, tab

DOCS = Path(__file__).parents[1] / "docs"

LOAD_SECONDS = 150
ROWS_EACH_SECOND = 30
TROUBLE_SECONDS = 75
"""Longer than Novu may fail before that is unhealthy."""

LOADED = {"wide-light": (1280, False), "narrow-dark": (390, True)}
IN_TROUBLE = {"wide-dark": (1280, True), "narrow-light": (390, False)}
TALLEST_PIXELS = 2600
"""Of a picture: a phone's page is longer, and its beginning is what is looked at."""


async def main() -> None:
    """Take the four. Raises SystemExit without a browser."""
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium on this machine (Debian: apt-get install chromium)")
    with running(chromium) as browser, _directory() as directory:
        async with running_deployment(directory) as deployment, tab(browser) as page:
            load = asyncio.create_task(_load(deployment))
            await asyncio.sleep(LOAD_SECONDS)
            await _take(page, deployment, LOADED)
            await deployment.system.sink_faults({"kind": "server_error", "status": 503, "requests": None})
            await asyncio.sleep(TROUBLE_SECONDS)
            await _take(page, deployment, IN_TROUBLE)
            load.cancel()


async def _load(deployment: Deployment) -> None:
    """For ever, with bursts that show in the plots; each second one row is of a template that lacks a variable."""
    second = 0
    while True:
        burst = 6 if second % 50 == 40 else 1
        await deployment.system.insert(ROWS_EACH_SECOND * burst)
        enterprise = deployment.system.enterprises[second % 3]
        connection = await deployment.system.connect()
        row = {"notification_workflow_id": enterprise.undefined_variable, "payload": {}, "channels": ["EMAIL"]}
        await insert_notifications(connection, enterprise.enterprise_id, [row])
        await connection.close()
        await asyncio.sleep(1)
        second += 1


async def _take(page: Page, deployment: Deployment, looks: dict[str, tuple[int, bool]]) -> None:
    for name, (width, dark) in looks.items():
        await page.show_as(width, 900, dark=dark)
        await page.open(f"{deployment.health_url}/status")
        picture = DOCS / f"status-page-{name}.png"
        picture.write_bytes(await page.screenshot(tallest=TALLEST_PIXELS))


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="xnovu-screenshots-", ignore_cleanup_errors=True) as name:
        yield Path(name)


if __name__ == "__main__":
    asyncio.run(main())
