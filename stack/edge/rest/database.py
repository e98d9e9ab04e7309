"""The way to PostgreSQL: a pool, one transaction per request under the caller's role, the cached catalogue."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from stack.edge.authentication import Identity
from stack.edge.rest.catalogue import Catalogue
from stack.edge.rest.catalogue_reader import read_catalogue
from stack.edge.rest.database_errors import refused_by_database
from stack.edge.rest.errors import (
    RestError,
    catalogue_unavailable,
    database_connection_lost,
    database_unreachable,
    pool_exhausted,
)
from stack.edge.rest.identifiers import quote_identifier
from stack.edge.rest.statements import Estimate, Statement

_log = logging.getLogger(__name__)
_POOL_SIZE = 10
_ACQUIRE_SECONDS = 10.0
_EXTRA_SEARCH_PATH = ("public", "extensions")
# PostgREST logs in as this role, which may become the roles granted to it and no other.
_LOGIN_ROLE = "authenticator"
_FAULTS = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError)

_ENTER_ROLE = """
    select pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('role', $2, true),
           pg_catalog.set_config('request.jwt.claims', $3, true), pg_catalog.set_config('request.method', $4, true),
           pg_catalog.set_config('request.path', $5, true), pg_catalog.set_config('request.headers', $6, true)
"""


@dataclass(frozen=True)
class Context:
    """On whose behalf and in which schema a statement runs, and the request that functions may look at."""

    identity: Identity
    schema: str
    method: str
    path: str
    headers: str


@dataclass(frozen=True)
class Outcome:
    """What a statement answered: `total` without limits if counted, rows shown or changed, and their JSON."""

    total: int | None
    row_count: int
    body: str
    inserted: int | None
    location: list[str] | None


class Database:
    """PostgreSQL as the REST half needs it. It may go away and come back: the pool connects anew."""

    def __init__(self, url: str, exposed_schemas: Sequence[str]) -> None:
        self.exposed_schemas = tuple(exposed_schemas)
        self._url = url
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._catalogue: Catalogue | None = None
        self._loading = asyncio.Lock()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The pool, for the block. Nothing connects before the first request: PostgreSQL may start later.

        At the end every connection is cut, without waiting for what still runs on it.
        """
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=_POOL_SIZE, init=_log_in, reset=_nothing_to_reset
        )
        try:
            yield
        finally:
            self._pool.terminate()
            self._pool = None

    async def catalogue(self) -> Catalogue:
        """The catalogue as last read. Raises RestError PGRST002 if it was never read and cannot be."""
        return self._catalogue or await self.reload_catalogue(None)

    async def reload_catalogue(self, stale: Catalogue | None) -> Catalogue:
        """Read the catalogue unless someone else replaced `stale` meanwhile."""
        async with self._loading:
            if self._catalogue is None or self._catalogue is stale:
                try:
                    async with self._acquire() as connection:
                        self._catalogue = await read_catalogue(connection, self.exposed_schemas)
                except (RestError, *_FAULTS) as error:
                    _log.warning("the catalogue could not be read: %s", error)
                    raise catalogue_unavailable() from error
            return self._catalogue

    async def run(self, context: Context, statement: Statement, verify: Callable[[Outcome], None]) -> Outcome:
        """Run `statement` in a transaction of its own; what `verify` raises rolls it back.

        Raises RestError for whatever PostgreSQL refuses, and 503 while it is away.
        """
        search_path = ", ".join(map(quote_identifier, (context.schema, *_EXTRA_SEARCH_PATH)))
        async with (
            self._acquire() as connection,
            _translated(connection, context.identity),
            connection.transaction(readonly=statement.read_only),
        ):
            await connection.fetchrow(
                _ENTER_ROLE,
                search_path,
                context.identity.role,
                context.identity.claims,
                context.method,
                context.path,
                context.headers,
            )
            outcome = _outcome(await connection.fetchrow(statement.sql, *statement.arguments))
            if statement.estimate is not None:
                outcome = await _estimated(connection, outcome, statement.estimate)
            verify(outcome)
            return outcome

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        if self._pool is None:
            raise RuntimeError("the database is used outside of its opened() block")
        try:
            connection = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        except TimeoutError as error:
            raise pool_exhausted() from error
        except _FAULTS as error:
            raise database_unreachable(str(error)) from error
        try:
            yield connection
        finally:
            await self._pool.release(connection)


@asynccontextmanager
async def _translated(connection: PoolConnectionProxy[asyncpg.Record], identity: Identity) -> AsyncIterator[None]:
    """Errors of the block as RestError. What a broken connection raises varies; that it is broken does not."""
    try:
        yield
    except _FAULTS as error:
        if isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.PostgresConnectionError):
            raise refused_by_database(error, anonymous=identity.is_anonymous) from error
        if _is_lost(connection):
            raise database_connection_lost(str(error)) from error
        raise


def _is_lost(connection: PoolConnectionProxy[asyncpg.Record]) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back, as it does with a connection that broke
        return True


def _outcome(row: asyncpg.Record | None) -> Outcome:
    if row is None:
        raise RestError(500, "PGRSTX00", "The statement returned no row")
    return Outcome(row["total"], row["page_count"], row["body"], row["inserted"], row["location"])


async def _estimated(connection: PoolConnectionProxy[asyncpg.Record], outcome: Outcome, estimate: Estimate) -> Outcome:
    """`outcome` with the planner's total, where it was not counted or there is more than is counted."""
    counted = outcome.total
    if counted is not None and counted <= estimate.exact_up_to:
        return outcome
    plan = await connection.fetchval(f"explain (format json) {estimate.sql}", *estimate.arguments)
    expected = int(json.loads(plan)[0]["Plan"]["Plan Rows"])
    return replace(outcome, total=max(expected, counted or 0))


async def _log_in(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Give up a superuser's rights for the authenticator's, where the database has that role."""
    if await connection.fetchval("select true from pg_catalog.pg_roles where rolname = $1", _LOGIN_ROLE):
        await connection.execute(f"set session authorization {quote_identifier(_LOGIN_ROLE)}")


async def _nothing_to_reset(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Every setting is local to its transaction, so a returned connection is as good as new."""
