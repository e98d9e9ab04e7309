"""A small HTTP server inside a process of ours: it says nothing, and leaves signals to the process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

LAST_ANSWERS_WITHIN_SECONDS = 1


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def new_server(application: ASGIApp) -> uvicorn.Server:
    """To be served on sockets that listen; `should_exit` ends it, within a second whatever its callers do."""
    return _Server(
        uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST_ANSWERS_WITHIN_SECONDS,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
