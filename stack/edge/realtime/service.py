"""The Realtime half as one object to start and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.websockets import WebSocket

from stack.edge.realtime.broadcast_feed import BroadcastFeed
from stack.edge.realtime.change_slot import connect
from stack.edge.realtime.feed import ChangeFeed
from stack.edge.realtime.handshake import shake_hands
from stack.edge.realtime.hub import Hub
from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.realtime.socket import RealtimeSocket
from stack.edge.realtime.subscriber import Subscriber
from stack.edge.realtime.tenant import drop_todays_partition
from stack.edge.realtime.wire import wire_of

_log = logging.getLogger(__name__)


def _log_death(polling: asyncio.Task[None]) -> None:
    """The feed outlives every fault of the database; should it end all the same, that must not be silent here too."""
    if not polling.cancelled() and polling.exception() is not None:
        _log.critical("a feed has ended", exc_info=polling.exception())


class RealtimeService:
    """`async with service.running()` around the serving of `service.websocket`.

    `database_url` must be a superuser's: the service decodes the log and acts as whatever role a token names.
    """

    def __init__(self, database_url: str, jwt_secret: str, settings: RealtimeSettings) -> None:
        self._database_url = database_url
        self._jwt_secret = jwt_secret
        self._settings = settings
        self._started: tuple[Hub, ChangeFeed, BroadcastFeed, Subscriber] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The change feed runs inside. The database may be away, at the start or at any time."""
        hub = Hub(self._settings)
        feed = ChangeFeed(self._database_url, hub)
        broadcasts = BroadcastFeed(self._database_url, hub)
        subscriber = Subscriber(self._database_url, feed, self._settings)
        await subscriber.open()
        self._started = (hub, feed, broadcasts, subscriber)
        feeding = [asyncio.create_task(each.run()) for each in (feed, broadcasts)]
        for task in feeding:
            task.add_done_callback(_log_death)
        try:
            yield
        finally:
            for task in feeding:
                task.cancel()
            await asyncio.gather(*feeding, return_exceptions=True)
            subscriber.close()
            self._started = None

    @property
    def hub(self) -> Hub:
        """The sockets and subscriptions of the running service."""
        return self._parts()[0]

    async def websocket(self, websocket: WebSocket) -> None:
        """Serve one client."""
        hub, _, _, subscriber = self._parts()
        admitted = await shake_hands(websocket, self._jwt_secret, hub)
        if admitted is None:
            return
        serializer, token = admitted
        wire = wire_of(websocket.scope["state"])
        await RealtimeSocket(websocket, wire, serializer, token, self._jwt_secret, hub, subscriber).serve()

    async def kill_slot(self) -> bool:
        """End the backend that holds the slot of changes, as an administrator or a crash would. False if there is none.

        Raises what DATABASE_AWAY lists.
        """
        return await self._kill(self._parts()[1].backend_pid)

    async def kill_broadcast_slot(self) -> bool:
        """The same for the slot of broadcasts."""
        return await self._kill(self._parts()[2].backend_pid)

    async def drop_todays_partition(self) -> bool:
        """From now on no message can be written. False if there was none. Raises what DATABASE_AWAY lists."""
        connection = await connect(self._database_url, self._settings.query_timeout_seconds)
        try:
            return await drop_todays_partition(connection)
        finally:
            await connection.close()

    async def _kill(self, pid: int | None) -> bool:
        if pid is None:
            return False
        connection = await connect(self._database_url, self._settings.query_timeout_seconds)
        try:
            return bool(await connection.fetchval("select pg_terminate_backend($1)", pid))
        finally:
            await connection.close()

    def _parts(self) -> tuple[Hub, ChangeFeed, BroadcastFeed, Subscriber]:
        if self._started is None:
            raise RuntimeError("the Realtime service is not running")
        return self._started
