"""The temporary replication slot and the one connection it lives and dies with."""

from __future__ import annotations

import secrets
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from stack.edge.realtime.pgoutput import LoggedRelation, take_transactions

PUBLICATION = "supabase_realtime"
_SLOT_NAME = "supabase_realtime_replication_slot"
_APPLICATION_NAME = "realtime_rls"
# What the events' JSON depends on, whatever the database's defaults are.
SESSION = {
    "application_name": _APPLICATION_NAME,
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "search_path": "public, extensions",
}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
# What a statement raises when the connection, rather than the statement, is at fault.
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    # What asyncpg makes of a backend's last words that arrive between two statements.
    asyncpg.InternalClientError,
)


async def connect(database_url: str, timeout_seconds: float) -> asyncpg.Connection[asyncpg.Record]:
    """A connection whose session prints values as the events carry them, and gives up statements after the timeout.

    Raises what DATABASE_AWAY lists when there is no database.
    """
    return await asyncpg.connect(
        database_url, server_settings=SESSION, timeout=timeout_seconds, command_timeout=timeout_seconds
    )


class ChangeSlot:
    """A slot that begins when it is created: changes committed before, or after it is lost, are never seen."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], name: str, publication: str) -> None:
        self.connection = connection
        self._name = name
        self._publication = publication
        self._kept: list[bytes] = []
        self.relations: dict[int, LoggedRelation] = {}

    @classmethod
    async def create(
        cls, database_url: str, timeout_seconds: float, *, name: str = _SLOT_NAME, publication: str = PUBLICATION
    ) -> ChangeSlot:
        """Connect and create the slot, which waits for every transaction then running to end.

        Raises what DATABASE_AWAY lists, or asyncpg.PostgresError where PostgreSQL refuses (wal_level, slots used up).
        """
        connection = await connect(database_url, timeout_seconds)
        # Several edges may work on one cluster, hence the suffix; the real server has a setting for that.
        name = f"{name}_{secrets.token_hex(4)}"
        try:
            await connection.execute("select pg_create_logical_replication_slot($1, 'pgoutput', true)", name)
        except BaseException:
            connection.terminate()
            raise
        return cls(connection, name, publication)

    @property
    def backend_pid(self) -> int:
        return self.connection.get_server_pid()

    async def poll(self, most_changes: int) -> list[bytes]:
        """What was decoded since the last poll, whole transactions only; it will not be given again.

        At most so many changes, or one transaction that has more; without a limit (0) all of them. What the slot gave
        beyond that is kept here, because PostgreSQL counts messages instead of changes, and is lost with the slot.
        """
        if not self._kept:
            rows = await self.connection.fetch(
                "select data from pg_logical_slot_get_binary_changes("
                f"$1, null, null, 'proto_version', '1', 'publication_names', '{self._publication}')",
                self._name,
            )
            self._kept = [row["data"] for row in rows]
        count = take_transactions(self._kept, most_changes) if most_changes else len(self._kept)
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken

    async def published_tables(self) -> list[int]:
        """The oids of the tables in the publication."""
        rows = await self.connection.fetch(
            "select format('%I.%I', schemaname, tablename)::regclass::oid::bigint as oid"
            " from pg_catalog.pg_publication_tables where pubname = $1 order by 1",
            PUBLICATION,
        )
        return [row["oid"] for row in rows]

    async def move_up(self) -> None:
        """Let the next polls begin to read at the current end of the log, not at where this one began."""
        await self.connection.execute("select pg_log_standby_snapshot()")

    def drop(self) -> None:
        """End the connection, and with it the slot."""
        self.connection.terminate()
