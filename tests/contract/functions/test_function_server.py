"""`python -m functions`, which the image's `xnovu function` is: what it serves, and how it ends."""

import ast
import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import get_args

import httpx
import psutil
import pytest

from functions.server import GRACE_SECONDS, SOURCE, ServerSettings
from stack.processes import free_port
from tests.contract.functions.bench import TENANT, Bench
from tests.contract.functions.framework import running
from tests.contract.functions.unfinished_call import begin_call
from tests.integration.memory import peak_memory_bytes
from tests.strangers import HELD_HEAD, hold, many, send_a_whole_head, send_headers
from tests.workflows.conftest import eventually

COMMAND = [sys.executable, "-m", "functions"]
PATIENT = [sys.executable, "-c", "from functions import __main__, server; server.GRACE_SECONDS = 3600; __main__.main()"]
"""The same, but whatever waits for the end of its grace waits for an hour: that it ends says that nothing did."""


def test_every_function_there_is_can_be_named_and_no_other() -> None:
    defined = [node.name for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.AsyncFunctionDef)]

    assert list(get_args(ServerSettings.model_fields["function_target"].annotation)) == defined


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "FUNCTION_TARGET: is missing"),
        ({"FUNCTION_TARGET": "settings"}, "FUNCTION_TARGET: "),
        ({"FUNCTION_TARGET": "health", "PORT": "0"}, "PORT: "),
        ({"FUNCTION_TARGET": "health"}, "SUPABASE_SERVICE_ROLE_KEY: is missing"),
    ],
)
def test_a_wrong_setting_stops_it_at_once_by_name(tmp_path: Path, environment: Mapping[str, str], named: str) -> None:
    with running(COMMAND, environment, tmp_path) as process:
        assert process.wait(60) == 2

    said = (tmp_path / "output").read_text()
    assert named in said
    assert "Traceback" not in said


async def test_a_signal_lets_the_call_under_way_finish_and_takes_no_other(bench: Bench, tmp_path: Path) -> None:
    async with serving(bench, tmp_path, PATIENT) as (process, client):
        children = psutil.Process(process.pid).children(recursive=True)
        async with begin_call(client.base_url.port or 0, TENANT, bench.new()) as call:
            process.send_signal(signal.SIGTERM)
            await eventually(partial(is_refused, client))
            status, answer = await call.finish()
        code = await asyncio.to_thread(process.wait, 60)

    assert (status, answer["success"]) == (200, True)
    assert code == 0
    assert len(children) == 1, "one process serves: Cloud Run starts more instances instead"
    assert not children[0].is_running()


async def test_a_caller_who_never_ends_his_call_does_not_hold_the_end_up(bench: Bench, tmp_path: Path) -> None:
    async with (
        serving(bench, tmp_path) as (process, client),
        begin_call(client.base_url.port or 0, TENANT, bench.new()),
    ):
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 60)
        seconds = time.monotonic() - began

    assert code == 0
    assert seconds >= GRACE_SECONDS
    assert GRACE_SECONDS < 10, "Cloud Run's own"


async def test_a_connection_kept_idle_is_there_for_the_next_call_and_does_not_hold_the_end_up(
    bench: Bench, tmp_path: Path
) -> None:
    async with serving(bench, tmp_path, PATIENT) as (process, client):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        for seconds_before in (0.0, 2.5):  # gunicorn's own keep-alive is 2 s
            await asyncio.sleep(seconds_before)
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            (length,) = re.findall(rb"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length))
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 60)
        writer.close()

    assert code == 0


@pytest.mark.parametrize(
    ("count", "attack"),
    [(32, send_headers), (8, send_a_whole_head), (400, partial(hold, said=HELD_HEAD))],
    ids=["headers", "whole heads", "half heads"],
)
async def test_strangers_take_little_memory_and_callers_are_answered_beside_them(
    bench: Bench, tmp_path: Path, count: int, attack: Callable[[int], Awaitable[None]]
) -> None:
    async with serving(bench, tmp_path) as (process, client):
        assert (await client.post("/trigger", json=bench.new(), headers=TENANT)).status_code == 200
        [server] = psutil.Process(process.pid).children(recursive=True)
        before_bytes, said_bytes = server.memory_info().rss, (tmp_path / "output").stat().st_size
        async with many(count, partial(attack, client.base_url.port or 0), pause_seconds=0.2):
            await asyncio.sleep(2)
            answers = [await client.post("/trigger", json=bench.new(), headers=TENANT) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200] * 5
        assert peak_memory_bytes(server.pid) - before_bytes < 64 * 2**20
        assert (tmp_path / "output").stat().st_size - said_bytes < 64 * 1024


@asynccontextmanager
async def serving(
    bench: Bench, directory: Path, command: list[str] = COMMAND
) -> "AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]":
    """The trigger function's process, which answers, and a client of it."""
    port = free_port()
    environment = {**bench.environment, "FUNCTION_TARGET": "trigger", "HOST": "127.0.0.1", "PORT": str(port)}
    with running(command, environment, directory) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def is_served() -> bool:
                assert process.poll() is None, (directory / "output").read_text()
                return not await is_refused(client)

            await eventually(is_served)
            yield process, client


async def is_refused(client: httpx.AsyncClient) -> bool:
    """Whether nobody takes a call."""
    try:
        return (await client.get("/openapi.json", headers={"Connection": "close"})).status_code != 200
    except httpx.TransportError:
        return True
