"""Listener and worker as a container runs them, asked by the platform how they are."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx
import pytest

from stack.processes import free_port
from tests.contract.functions.framework import running
from tests.workflows.conftest import eventually

NOBODY_IS_THERE = {
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "SUPABASE_URL": "http://127.0.0.1:1",
    "SUPABASE_SERVICE_ROLE_KEY": "key",
    "NOVU_SECRET_KEY": "key",
    "DAEMON_ENTERPRISE_IDS": "ent1",
    "PROBE_HOST": "127.0.0.1",
}


@pytest.mark.parametrize("role", ["listener", "worker"])
async def test_while_everything_else_is_away_it_is_alive_not_started_and_obeys_a_signal(
    tmp_path: Path, role: str
) -> None:
    port = free_port()
    environment = {**NOBODY_IS_THERE, "PROBE_PORT": str(port)}
    with running([sys.executable, "-m", "cli", role], environment, tmp_path) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def is_alive() -> bool:
                assert process.poll() is None, (tmp_path / "output").read_text()
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(is_alive, within=60)
            startup, ready = [(await client.get(path)).status_code for path in ("/startup", "/readyz")]
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait, 60)

    assert (startup, ready) == (503, 503)
    assert code == 0


async def test_a_probe_port_that_is_taken_stops_the_process_by_name(tmp_path: Path) -> None:
    async def nobody(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(nobody, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        command = [sys.executable, "-m", "listener"]
        with running(command, {**NOBODY_IS_THERE, "PROBE_PORT": str(port)}, tmp_path) as process:
            code = await asyncio.to_thread(process.wait, 60)

    assert code == 2
    assert "PROBE_PORT: nothing can listen on" in (tmp_path / "output").read_text()
