"""Running systems for the files that can share one; each test writes rows of its own and looks at those only."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.system import System, running_system

TEN_ENTERPRISES = tuple(f"tenant-{number}" for number in range(10))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Logging all it has to say, and with an edge that does not fall silent for a minute after a flood.

    That silence is the real server's and the chaos tests', where it is the point: here every test behind the flood
    would only wait for sweeps.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EDGE_MAX_EVENTS_PER_SECOND", "1000000")
        async with running_system(tmp_path_factory.mktemp("system"), DAEMON_LOG_LEVEL="debug") as running:
            yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def timed_system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """With ten enterprises, for the tests of time; its edge does not fall silent either."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EDGE_MAX_EVENTS_PER_SECOND", "1000000")
        async with running_system(tmp_path_factory.mktemp("timed"), TEN_ENTERPRISES) as running:
            yield running
