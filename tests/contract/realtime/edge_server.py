"""The whole edge: as a process of its own, or in the test's process where a test has settings of its own."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from stack.edge.application import create_application
from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.realtime.wire import UVICORN_OPTIONS, RealtimeWire
from stack.processes import ChildProcess, free_port

SECRET = "a-secret-of-the-tests-that-is-long-enough"
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Edge:
    """Where a running edge is reached."""

    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def websocket(self, path: str = "/realtime/v1/websocket", **query: str) -> str:
        parameters = "&".join(f"{name}={value}" for name, value in query.items())
        return f"ws://127.0.0.1:{self.port}{path}?{parameters}"

    async def fault(self, name: str, **order: object) -> dict[str, Any]:
        """Order a fault; the answer's JSON."""
        async with httpx.AsyncClient() as http:
            response = await http.post(f"{self.http}/_faults/{name}", json=order)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def end_faults(self) -> None:
        async with httpx.AsyncClient() as http:
            (await http.delete(f"{self.http}/_faults")).raise_for_status()

    async def state(self) -> dict[str, Any]:
        """What GET /_faults tells: faults in force, and counts."""
        async with httpx.AsyncClient() as http:
            response = await http.get(f"{self.http}/_faults")
        state: dict[str, Any] = response.raise_for_status().json()
        return state

    async def polled_anew(self) -> None:
        """Until a poll that began after this call has ended: what was committed before is then dealt with."""
        enough = (await self.state())["counts"]["polls"] + 2
        await eventually(lambda: self._has_polled(enough))

    async def _has_polled(self, times: int) -> bool:
        return bool((await self.state())["counts"]["polls"] >= times)


async def eventually(check: Callable[[], Awaitable[bool]], within_seconds: float = 60.0) -> None:
    """Until `check` holds; fails when it does not within the time."""
    async with asyncio.timeout(within_seconds):
        while not await check():  # noqa: ASYNC110 - other processes do not set our events
            await asyncio.sleep(0.01)


@asynccontextmanager
async def edge_process(database_url: str, settings: RealtimeSettings, directory: Path) -> AsyncIterator[Edge]:
    """`python -m stack.edge`."""
    edge = Edge(free_port())
    environment = {f"EDGE_{name.upper()}": str(value) for name, value in asdict(settings).items()}
    environment |= {"EDGE_DATABASE_URL": database_url, "EDGE_JWT_SECRET": SECRET}
    process = ChildProcess("edge", directory / f"edge-{edge.port}.log")

    async def serves() -> bool:
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{edge.http}/health")).is_success
            except httpx.TransportError:
                return False

    await process.start([sys.executable, "-m", "stack.edge", "--port", str(edge.port)], environment)
    try:
        await process.wait_until_ready(serves, _START_SECONDS)
        yield edge
    finally:
        await process.stop(_STOP_SECONDS)


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@asynccontextmanager
async def serve_edge(database_url: str, settings: RealtimeSettings) -> AsyncIterator[Edge]:
    """The edge in this process, ended as SIGTERM ends it."""
    options: dict[str, Any] = {**UVICORN_OPTIONS}
    application = create_application(database_url, SECRET, settings)
    config = uvicorn.Config(application, ws=RealtimeWire, log_level="warning", timeout_graceful_shutdown=2, **options)
    server = _Server(config)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(_START_SECONDS):
            await server.listens.wait()
        yield Edge(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await serving
