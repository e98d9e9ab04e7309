"""The functions in a process of functions-framework, as the container runs them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from stack.processes import bound_command, free_port
from tests.contract.functions.bench import SOURCE, TENANT, Bench
from tests.workflows.conftest import eventually

FRAMEWORK = Path(sys.executable).with_name("functions-framework")

_HARMLESS = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@contextmanager
def running(command: list[str], environment: Mapping[str, str], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, killed at the end if it still runs; what it says is in `directory/output`."""
    with (directory / "output").open("ab") as output:
        process = subprocess.Popen(
            bound_command(command, signal.SIGKILL),
            stdout=output,
            stderr=output,
            env={**_HARMLESS, **environment},
            cwd=directory,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _framework_environment(environment: Mapping[str, str], target: str, port: int) -> dict[str, str]:
    return {
        **environment,
        "FUNCTION_SOURCE": str(SOURCE),
        "FUNCTION_TARGET": target,
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }


async def test_a_call_over_http_makes_a_row_and_the_worker_sends_it(bench: Bench, tmp_path: Path) -> None:
    port = free_port()
    for name in ("function", "worker"):
        (tmp_path / name).mkdir()
    environment = _framework_environment(bench.environment, "trigger", port)

    with (
        running([str(FRAMEWORK)], environment, tmp_path / "function") as function,
        running([sys.executable, "-m", "worker"], bench.environment, tmp_path / "worker"),
    ):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=TENANT) as client:

            async def answers() -> bool:
                assert function.poll() is None, (tmp_path / "function" / "output").read_text()
                try:
                    return (await client.get("/openapi.json")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, within=20)
            sent = (await client.post("/trigger", json=bench.new())).json()
            query = {"workflowId": sent["workflowId"], "runId": sent["runId"]}

            async def is_completed() -> bool:
                return bool((await client.get("/trigger", params=query)).json()["status"] == "COMPLETED")

            await eventually(is_completed, within=30)
            state = (await client.get("/trigger", params=query)).json()
        children = psutil.Process(function.pid).children(recursive=True)
        function.send_signal(signal.SIGTERM)
        assert function.wait(10) == 0

    assert state["result"] == {"sent": 1, "failed": {}, "notClaimed": 0}
    assert (await bench.row(sent["notificationIds"][0]))["notification_status"] == "SENT"
    assert children != []
    assert not any(child.is_running() for child in children)
    lines = [json.loads(line) for line in (tmp_path / "function" / "output").read_text().splitlines()]
    audited = [line for line in lines if line["component"] == "FunctionsAudit"]
    assert (audited[0]["event"], audited[0]["caller"], audited[0]["outcome"]) == (
        "trigger_called",
        "tenant",
        "answered",
    )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SUPABASE_SERVICE_ROLE_KEY": ""}, "SUPABASE_SERVICE_ROLE_KEY"),
        ({"DAEMON_ENTERPRISE_IDS": ""}, "DAEMON_ENTERPRISE_IDS"),
        ({"FUNCTIONS_API_KEYS": ""}, "FUNCTIONS_TRUST_PLATFORM_IDENTITY"),
        ({"FUNCTIONS_API_KEYS": "operator:planted-secret"}, "FUNCTIONS_API_KEYS"),
        ({"FUNCTIONS_API_KEYS": f"operator:{'0' * 64}:elsewhere"}, "FUNCTIONS_API_KEYS"),
    ],
)
def test_a_wrong_setting_stops_the_process_at_once_by_name(
    tmp_path: Path, changed: Mapping[str, str], named: str
) -> None:
    valid = {
        "TEMPORAL_ADDRESS": "localhost:7233",
        "SUPABASE_URL": "http://localhost:1",
        "SUPABASE_SERVICE_ROLE_KEY": "key",
        "DAEMON_ENTERPRISE_IDS": "ent1",
        "FUNCTIONS_API_KEYS": f"operator:{'0' * 64}",
    }

    with running(
        [str(FRAMEWORK)], _framework_environment({**valid, **changed}, "trigger", free_port()), tmp_path
    ) as function:
        assert function.wait(20) == 2

    said = (tmp_path / "output").read_text()
    assert [line.strip().partition(":")[0] for line in said.splitlines()] == ["functions", named]
    assert "planted-secret" not in said
