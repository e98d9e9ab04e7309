"""What the server does to a tenant's database when it connects: its schema, and the partitions of messages."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg

from stack.edge.realtime.change_slot import DATABASE_AWAY, Connection

_log = logging.getLogger(__name__)
_MIGRATIONS = Path(__file__).with_name("tenant.sql")
_DAYS = range(-1, 4)


async def prepare_tenant(connection: Connection) -> None:
    """Raises what DATABASE_AWAY lists."""
    async with connection.transaction():
        # Two edges on one database would make the same things at the same time.
        await connection.execute("select pg_advisory_xact_lock(hashtext('xnovu edge tenant'))")
        await connection.execute(_MIGRATIONS.read_text(encoding="utf-8"))
    today = datetime.now(UTC).date()
    try:
        for days in _DAYS:
            await _make_partition(connection, today + timedelta(days=days))
    except DATABASE_AWAY:
        # As there: an ALTER that waited in vain behind somebody's open transaction, and writers behind it meanwhile.
        _log.warning("PartitionCreationFailed")
        raise


def partition_of(day: date) -> str:
    """The name of the partition that holds the messages of this day, UTC."""
    return f"messages_{day:%Y_%m_%d}"


async def _make_partition(connection: Connection, day: date) -> None:
    name = partition_of(day)
    await connection.execute(
        f"create table if not exists realtime.{name} partition of realtime.messages"
        f" for values from ('{day}') to ('{day + timedelta(days=1)}')"
    )
    # The real server does so at every connection: the lock is ACCESS EXCLUSIVE.
    await connection.execute(f"alter table realtime.{name} owner to current_user")


async def partitions(connection: Connection) -> frozenset[int]:
    """The oids of all partitions."""
    rows = await connection.fetch(
        "select inhrelid::bigint as oid from pg_catalog.pg_inherits where inhparent = 'realtime.messages'::regclass"
    )
    return frozenset(row["oid"] for row in rows)


async def drop_todays_partition(connection: asyncpg.Connection[asyncpg.Record]) -> bool:
    """As an administrator might, or a server that has not connected for days. False if there is none."""
    name = partition_of(datetime.now(UTC).date())
    exists: bool = await connection.fetchval("select to_regclass($1) is not null", f"realtime.{name}")
    await connection.execute(f"drop table if exists realtime.{name}")
    return exists
