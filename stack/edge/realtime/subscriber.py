"""When and how subscriptions are made: the waits of the real server, and the connections the checks run on."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence

import asyncpg

from stack.edge.realtime.change_requests import ChangeRequest
from stack.edge.realtime.change_slot import DATABASE_AWAY, SESSION, Connection
from stack.edge.realtime.feed import ChangeFeed
from stack.edge.realtime.settings import RealtimeSettings
from stack.edge.realtime.subscription_check import check_subscription
from stack.edge.realtime.tokens import Token

_log = logging.getLogger(__name__)
_POOL_SIZE = 3


class MissingPartition(Exception):
    """No message of today can be written."""


class Subscriber:
    """Checks subscriptions on connections of its own: a long poll keeps no join waiting."""

    def __init__(self, database_url: str, feed: ChangeFeed, settings: RealtimeSettings) -> None:
        self._database_url = database_url
        self._feed = feed
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Make the pool; it connects when first used."""
        self._pool = await asyncpg.create_pool(
            self._database_url,
            min_size=0,
            max_size=_POOL_SIZE,
            server_settings=SESSION,
            command_timeout=self._settings.query_timeout_seconds,
        )

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def first_subscription(self) -> None:
        """At once while the feed runs; after a cold start's wait while it is being started.

        Whether the slot is there by then is not asked for long: "Subscribed" does not mean that changes flow.
        """
        if self._feed.has_slot.is_set():
            return
        await self.later_subscription()
        try:
            await asyncio.wait_for(self._feed.has_slot.wait(), self._settings.slot_wait_seconds)
        except TimeoutError:
            _log.info("a subscription is confirmed although no replication slot is there yet")

    async def later_subscription(self) -> None:
        longest = self._settings.subscribe_retry_seconds
        await asyncio.sleep(random.uniform(longest / 3, longest))

    async def may_read(self, topic: str, token: Token) -> bool:
        """Whether the token's role sees a message of this topic, asked as the real server asks: by writing one,
        looking, and taking it back. While the database is away it waits.

        Raises MissingPartition.
        """
        while True:
            try:
                async with self._connections().acquire() as connection:
                    return await _sees_message(connection, topic, token)
            except (*DATABASE_AWAY, asyncpg.UndefinedTableError) as error:
                _log.warning("a private join waits for the database: %r", error)
            await asyncio.sleep(random.uniform(self._settings.retry_min_seconds, self._settings.retry_max_seconds))

    async def may_write(self, topic: str, token: Token) -> bool | None:
        """Whether the token's role may write a message of this topic; None while the database cannot say."""
        try:
            async with self._connections().acquire() as connection:
                return await _writes_message(connection, topic, token)
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            _log.warning("a broadcast to a private topic is not carried: %r", error)
            return None

    def _connections(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is None:
            raise RuntimeError("Subscriber.open has not been called")
        return self._pool

    async def check(self, requests: Sequence[ChangeRequest], role: str) -> list[frozenset[int]]:
        """The tables of each request. While the database is away it waits; the client is told nothing.

        Raises SubscriptionRefused.
        """
        while True:
            try:
                async with self._connections().acquire() as connection:
                    return await check_subscription(connection, requests, role)
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                # What PostgreSQL says of the request itself is a SubscriptionRefused; this is about connecting.
                _log.warning("a subscription waits for the database: %r", error)
            await asyncio.sleep(random.uniform(self._settings.retry_min_seconds, self._settings.retry_max_seconds))


async def _sees_message(connection: Connection, topic: str, token: Token) -> bool:
    transaction = connection.transaction()
    await transaction.start()
    try:
        message_id = await connection.fetchval(
            "insert into realtime.messages (topic, extension, private) values ($1, 'broadcast', true) returning id",
            topic,
        )
        await _become(connection, topic, token)
        seen: bool = await connection.fetchval(
            "select exists (select from realtime.messages where id = $1)", message_id
        )
        return seen
    except asyncpg.CheckViolationError:
        raise MissingPartition from None
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError):
        return False
    finally:
        await transaction.rollback()


async def _writes_message(connection: Connection, topic: str, token: Token) -> bool:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await _become(connection, topic, token)
        await connection.execute(
            "insert into realtime.messages (topic, extension, private) values ($1, 'broadcast', true)", topic
        )
        return True
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError):
        return False
    finally:
        await transaction.rollback()


async def _become(connection: Connection, topic: str, token: Token) -> None:
    """For the transaction: the token's role, as policies of realtime.messages see it."""
    await connection.execute(
        "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),"
        " set_config('realtime.topic', $3, true)",
        token.role,
        token.claims,
        topic,
    )
