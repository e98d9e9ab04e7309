"""One connection to Temporal for all the parts of a process."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from temporalio.client import Client

from shared.temporal.client import connect_unless_stopped

Connect: TypeAlias = Callable[[asyncio.Event, str, str, dict[str, Any]], Awaitable[Client | None]]
"""As connect_unless_stopped, whose connection is its caller's alone."""


class JointClient:
    """A workflow that is started through the client of a worker may begin there, before Temporal has told anybody.

    A part that comes again (a new worker, after one that broke) gets a new connection: the former worker may hold on
    to its own.
    """

    def __init__(self) -> None:
        self._connection: asyncio.Future[Client | None] | None = None
        self._had_by: set[str] = set()

    def connect_for(self, part: str) -> Connect:
        """What that part is to connect with, each time that it does."""
        return partial(self._connect, part)

    async def _connect(
        self, part: str, stop: asyncio.Event, address: str, namespace: str, connect_config: dict[str, Any]
    ) -> Client | None:
        if self._connection is None or part in self._had_by:
            connecting = connect_unless_stopped(stop, address, namespace, connect_config)
            self._connection = asyncio.ensure_future(connecting)
            self._had_by.clear()
        self._had_by.add(part)
        return await asyncio.shield(self._connection)
