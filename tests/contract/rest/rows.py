"""The tables the tests use, and rows to arrange a test with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


_TABLES_AND_FUNCTIONS = Path(__file__).with_name("tables_and_functions.sql")


async def prepare(database_url: str) -> None:
    """Create the tables and functions of the tests."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_TABLES_AND_FUNCTIONS.read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def insert_items(database: Database, *names: str) -> None:
    """Items named so, with ids from 1 on in a fresh table."""
    await database.execute("insert into items (name) select unnest($1::text[])", list(names))


async def fetch_tuples(database: Database, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch(query)]
