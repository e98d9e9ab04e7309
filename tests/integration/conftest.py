"""One browser for all tests of a process, and a tab of it for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.integration.chromium import Page, find_chromium, running, tab


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """Where the browser can be asked for tabs."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with running(found) as address:
        yield address


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Page]:
    """A tab that nobody else has."""
    async with tab(chromium) as page:
        yield page
