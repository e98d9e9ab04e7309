"""What ends a process in good order, and what it may be told to ignore."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from shared.process_lifecycle import _run_until_signalled
from shared.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    return Settings.load()


@pytest.fixture
def hang_up_is_ignored() -> Iterator[None]:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def drains_on(number: signal.Signals, settings: Settings) -> bool:
    """Whether the process is told to drain when this signal comes."""
    told = False

    async def main(_: Settings, stop: asyncio.Event) -> None:
        nonlocal told
        os.kill(os.getpid(), number)
        try:
            async with asyncio.timeout(0.5):
                told = await stop.wait()
        except TimeoutError:
            pass

    await _run_until_signalled("tested", main, settings)
    return told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_that_would_end_it_drains_it(number: signal.Signals, settings: Settings) -> None:
    try:
        assert await drains_on(number, settings)
    finally:
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.usefixtures("hang_up_is_ignored")
async def test_under_nohup_a_hang_up_is_none_of_its_business(settings: Settings) -> None:
    assert not await drains_on(signal.SIGHUP, settings)
