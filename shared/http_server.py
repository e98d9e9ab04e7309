"""A small HTTP server inside a process of ours: it says nothing, and leaves signals to the process.

Whoever reaches its port can take little from what else the process does: connections, heads and times are bounded, and
only a few requests are answered at once.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.bounded_http import MOST_HEAD_BYTES, BoundedProtocol
from shared.supervision import Supervisor

LAST_ANSWERS_WITHIN_SECONDS = 1

ANSWERED_AT_ONCE = 2
"""The event loop is also that of deliveries: this bounds what of its time one turn can give to callers."""

ACCEPTED_AT_ONCE = 4
"""Connections taken in one turn of the event loop. None of them is counted before the next turn, and each takes some of
this one's time."""

WAITING_TO_BE_ACCEPTED = 128
"""Connections that the kernel keeps meanwhile."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(WAITING_TO_BE_ACCEPTED)  # asyncio has told the kernel its own, smaller number


def new_server(application: ASGIApp) -> uvicorn.Server:
    """To be served on sockets that listen; `should_exit` ends it, within a second whatever its callers do."""
    server = _Server(
        uvicorn.Config(
            _few_at_once(application),
            http=BoundedProtocol,
            ws="none",
            h11_max_incomplete_event_size=MOST_HEAD_BYTES,
            backlog=ACCEPTED_AT_ONCE,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS_WITHIN_SECONDS,
        )
    )
    # A line for every request that is no HTTP would let strangers fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return server


@asynccontextmanager
async def serving(application: ASGIApp, listening: socket.socket, parts: Supervisor, part: str) -> AsyncIterator[None]:
    """Serve there within the block, kept by `parts` under the name `part`. The socket stays the caller's."""
    leaving = asyncio.Event()

    async def serve() -> None:
        server = new_server(application)
        served = listening.dup()  # uvicorn closes what it is given
        with served:
            task = asyncio.create_task(server.serve(sockets=[served]))
            try:
                await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
                server.should_exit = True
                await task
            finally:
                task.cancel()
                for accepting in getattr(server, "servers", ()):  # none if it did not come so far
                    accepting.close()
        if not leaving.is_set():
            raise RuntimeError("the HTTP server ended by itself")

    ending = asyncio.create_task(leaving.wait())
    kept = asyncio.create_task(parts.keep(part, serve, until=leaving), name=part)
    try:
        yield
    finally:
        leaving.set()
        await kept


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _few_at_once(application: ASGIApp) -> ASGIApp:
    places = asyncio.Semaphore(ANSWERED_AT_ONCE)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async with places:
            await application(scope, receive, send)

    return answer
