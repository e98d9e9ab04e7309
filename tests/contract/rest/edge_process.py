"""The edge as its own process, on a free port, ended with the block."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from stack.processes import ChildProcess, free_port

SECRET = "a-secret-of-at-least-32-characters-for-tests"
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0


class EdgeProcess:
    """`python -m stack.edge` on one database."""

    def __init__(self, database_url: str, directory: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.log_file = directory / f"edge-{self._port}.log"
        self._environment = {"EDGE_DATABASE_URL": database_url, "EDGE_JWT_SECRET": SECRET}
        self._process = ChildProcess("edge", self.log_file)

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "stack.edge", "--port", str(self._port)]
        await self._process.start(command, self._environment)
        await self._process.wait_until_ready(self._serves, _START_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._process.stop(_STOP_SECONDS)

    async def _serves(self) -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}/health")).is_success
            except httpx.TransportError:
                return False
