"""The clock of unit tests: it stands still while anything runs and jumps when everybody waits, so that windows, pauses
and patience end in the same order on the slowest machine, and minutes are milliseconds.

Threads of an executor are awaited in real time. Who connects to a server of the same loop talks to it through a pair of
sockets, in which nothing is ever on its way. Others answer in their own time, to which this clock would not listen: a
test that has them is marked `real_time`, and without the mark it fails.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from looptime import LoopTimeEventLoop

Result = TypeVar("Result")
Protocols = Callable[[], asyncio.BaseProtocol]

ACCEPTED_WITHIN_SECONDS = 1.0
"""A server may start after its caller, as where the kernel keeps who connects."""


class RealIO(SystemExit):
    """Ends the test at once, as asyncio lets no other exception through from wherever it comes."""


class _Deaf(selectors.DefaultSelector):
    """Takes the pipe by which threads wake their loop, and the sockets of `near`."""

    def __init__(self) -> None:
        super().__init__()
        self.near: set[int] = set()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.get_map() and fileobj not in self.near:
            raise RealIO("real I/O in virtual time: mark the test pytest.mark.real_time, or let a double answer")
        return super().register(fileobj, events, data)


class VirtualLoop(LoopTimeEventLoop, asyncio.SelectorEventLoop):
    """Its clock begins at 0."""

    def __init__(self) -> None:
        self._deaf = _Deaf()
        self._servers: list[tuple[asyncio.Server, int, Protocols]] = []
        super().__init__(self._deaf, noop_cycles=0)

    async def create_server(self, protocol_factory: Protocols, *args: Any, **more: Any) -> asyncio.Server:
        """One that holds its port, and takes connections of this loop only."""
        server = await super().create_server(protocol_factory, *args, **{**more, "start_serving": False})
        server._serving = True  # type: ignore[attr-defined]
        self._servers += [(server, it.getsockname()[1], protocol_factory) for it in server.sockets]
        return server

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Protocols, host: str | None = None, port: int | None = None, **more: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """A connection to the server of this loop that holds the port."""
        until = self.time() + ACCEPTED_WITHIN_SECONDS
        while not (answering := [protocols for it, at, protocols in self._servers if at == port and it.is_serving()]):
            if self.time() > until:
                raise ConnectionRefusedError(f"nobody of this loop listens at {host}:{port}")
            await asyncio.sleep(0.001)
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
            self._deaf.near.add(end.fileno())
        await self.connect_accepted_socket(answering[0], theirs)
        return await super().create_connection(protocol_factory, sock=ours)


def run_virtually(main: Coroutine[Any, Any, Result]) -> Result:
    """The coroutine's result, on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
