"""Opening connections: however many calls wait for a server that says nothing, each is answered in its time."""

import asyncio
from typing import Any

import pytest

from functions.connections import CONNECT_TIMEOUT_SECONDS, Connections
from functions.endpoint import DEADLINE_SECONDS
from functions.problems import Problem
from functions.settings import FunctionsSettings
from shared.temporal import client as temporal_client

CALLS = 6
"""Such as an uptime check's, of every region at the same time."""


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    monkeypatch.setenv("NEXT_PUBLIC_SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("DAEMON_ENTERPRISE_IDS", "ent1")
    monkeypatch.setenv("FUNCTIONS_API_KEYS", f"operator:{'0' * 64}")
    return Connections(FunctionsSettings.load(), {})


async def test_calls_that_wait_for_a_temporal_that_says_nothing_share_one_attempt(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def say_nothing(*_: Any) -> None:
        nonlocal attempts
        attempts += 1
        await asyncio.Event().wait()

    async def seconds_until_told() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Problem, match="Temporal does not answer"):
            await connections.temporal()
        return asyncio.get_running_loop().time() - began

    monkeypatch.setattr(temporal_client, "connect", say_nothing)
    together = await asyncio.gather(*(seconds_until_told() for _ in range(CALLS)))
    afterwards = await seconds_until_told()

    assert max(*together, afterwards) == pytest.approx(CONNECT_TIMEOUT_SECONDS)
    assert CONNECT_TIMEOUT_SECONDS < DEADLINE_SECONDS
    assert attempts == 2


async def test_while_temporal_is_waited_for_the_database_can_be_asked(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(temporal_client, "connect", say_nothing)
    waiting = asyncio.create_task(connections.temporal())
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()

    await connections.supabase()

    assert asyncio.get_running_loop().time() == began
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await connections.close()
