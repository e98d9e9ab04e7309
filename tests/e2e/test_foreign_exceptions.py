"""A daemon that meets thirty exceptions nobody foresaw, all over its code: every row goes out once, health said so."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from stack.local import LocalStack
from stack.processes import free_port
from tests.e2e.program import Program
from tests.e2e.system import SHORT_TIMES, System, eventually
from tests.faults.await_points import PROJECT
from tests.faults.injector import CANARY
from tests.faults.series import FAULTS

pytestmark = pytest.mark.slow

ROWS = 300
LOAD_SECONDS = 10.0


async def test_a_daemon_survives_foreign_exceptions_wherever_they_meet_it(tmp_path: Path) -> None:
    told, port = tmp_path / "faults", free_port()
    async with LocalStack(tmp_path) as stack, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as health:
        system = System(stack, tmp_path, SHORT_TIMES)
        await system.seed()
        environment = {
            **system.environment,
            "DAEMON_HEALTH_PORT": str(port),
            "PYTHONPATH": f"{PROJECT / 'tests/faults/in_a_daemon'}:{PROJECT}",
            "XNOVU_FAULT_SERIES": str(told),
        }
        with Program("daemon", tmp_path, environment) as daemon:
            await system.load(ROWS, seconds=LOAD_SECONDS)
            seen: list[dict[str, Any]] = []

            async def status() -> dict[str, Any]:
                """Nothing while the server itself has just met a fault: that costs one answer."""
                daemon.require_running()
                try:
                    answer = await health.get("/status")
                except httpx.TransportError:
                    return {"status": "silent", "problems": []}
                return dict(answer.json()) if answer.is_success else {"status": "silent", "problems": []}

            async def has_said_so() -> bool:
                seen.extend(each for each in (await status())["problems"] if each["component"] == "processes")
                return bool(seen)

            async def has_had_enough() -> bool:
                await has_said_so()
                return len(told.read_text().splitlines()) == FAULTS

            async def is_healthy() -> bool:
                return bool((await status())["status"] == "healthy")

            await eventually(has_said_so, within=30, what="health says so")
            await eventually(has_had_enough, within=30, what="the faults are over")
            await eventually(system.is_settled, within=60, what="every row is settled")
            await eventually(is_healthy, within=60, what="healthy again")
            daemon.require_running()
            assert await system.statuses() == {"SENT": ROWS}
            assert await system.deliveries() == dict.fromkeys(await system.transaction_ids(), 1)
            assert {each["status"] for each in seen} == {"degraded"}
            assert CANARY not in daemon.log_file.read_text()
        await system.stop()
