"""Apply a folder of Supabase migrations as `supabase db push` does: each once, in order, and written down."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import asyncpg

_FILE_NAME = re.compile(r"(?P<version>\d+)_(?P<name>.+)\.sql")

_CREATE_RECORD = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key,
    statements text[],
    name text
);
"""


class MigrationFailed(Exception):
    """PostgreSQL refused a migration. The message names the file, the line where there is one, and the reason."""


async def apply_migrations(database_url: str, folder: Path) -> list[str]:
    """Apply what is not recorded yet, each file in a transaction of its own, as role `postgres`.

    Returns the versions applied. Raises MigrationFailed; files before the failed one stay applied.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("set role postgres")
        await connection.execute(_CREATE_RECORD)
        recorded = await connection.fetch("select version from supabase_migrations.schema_migrations")
        done = {row["version"] for row in recorded}
        waiting = [found for found in _migrations(folder) if found["version"] not in done]
        for found in waiting:
            await _apply(connection, folder / found.string, found["version"], found["name"])
        return [found["version"] for found in waiting]
    finally:
        await connection.close()


def _migrations(folder: Path) -> list[re.Match[str]]:
    if not folder.is_dir():
        raise MigrationFailed(f"no folder of migrations at {folder}")
    names = sorted(file.name for file in folder.iterdir())
    return [found for name in names if (found := _FILE_NAME.fullmatch(name))]


async def _apply(connection: asyncpg.Connection, file: Path, version: str, name: str) -> None:
    statements = await asyncio.to_thread(file.read_text, encoding="utf-8")
    try:
        async with connection.transaction():
            await connection.execute(statements)
            await connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)",
                version,
                name,
                [statements],
            )
    except asyncpg.PostgresError as error:
        position = getattr(error, "position", None)
        line = f", line {statements.count(chr(10), 0, int(position)) + 1}" if position else ""
        raise MigrationFailed(f"migration {file.name}{line}: {error} (SQLSTATE {error.sqlstate})") from error
