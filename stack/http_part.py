"""A part of the stack that is a module of ours serving HTTP: the Supabase edge, the Novu sink."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from stack.processes import ChildProcess, PartFailed, free_port, is_free

_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_PROBE_SECONDS = 2.0
# `python -m` finds the modules here, wherever the person who starts the stack stands.
_PROJECT = Path(__file__).parents[1]


class HttpPart:
    """`python -m <module> --port <port>` on a port that stays the same over any number of starts."""

    def __init__(
        self,
        name: str,
        module: str,
        log_file: Path,
        *,
        ready_path: str,
        environment: Callable[[], Mapping[str, str]],
        arguments: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        """`environment` is asked at each start; `ready_path` answers 200 once the part can serve."""
        self.port = port or free_port()
        self._module = module
        self._environment = environment
        self._arguments = arguments
        self._ready_url = f"{self.url}{ready_path}"
        self._server = ChildProcess(name, log_file.absolute())

    @property
    def url(self) -> str:
        """The part's root address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, or None where it is not running."""
        return self._server.pid

    async def start(self) -> None:
        """Start and wait until it serves. Raises PartFailed, naming what went wrong."""
        if not is_free(self.port):
            raise PartFailed(f"{self._server.name} cannot start: port {self.port} is taken")
        path = {"PYTHONPATH": str(_PROJECT)}
        command = [sys.executable, "-m", self._module, "--port", str(self.port), *self._arguments]
        await self._server.start(command, {**path, **self._environment()})
        async with httpx.AsyncClient(timeout=_PROBE_SECONDS, trust_env=False, verify=False) as http:
            await self._server.wait_until_ready(lambda: self._serves(http), _READY_SECONDS)

    async def stop(self) -> None:
        """Let it finish what it is at and end."""
        await self._server.stop(_STOP_SECONDS)

    async def kill(self) -> None:
        """SIGKILL it, as a crash would."""
        await self._server.kill()

    async def restart(self) -> None:
        """Stop and start on the same port."""
        await self.stop()
        await self.start()

    async def _serves(self, http: httpx.AsyncClient) -> bool:
        try:
            response = await http.get(self._ready_url)
        except httpx.TransportError:
            return False
        return response.status_code == httpx.codes.OK
