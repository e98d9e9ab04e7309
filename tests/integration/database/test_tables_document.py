"""docs/tables.md names every table and column as the migrations make them: type, whether it may be null, default."""

import re
from pathlib import Path

import asyncpg

from stack.postgres import Postgres

DOCUMENT = Path(__file__).parents[3] / "docs" / "tables.md"

COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull,
       a.attidentity <> '' as identity,
       pg_get_expr(d.adbin, d.adrelid) as expression
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relnamespace = 'notify'::regnamespace and c.relkind in ('r', 'p', 'v') and a.attnum > 0 and not a.attisdropped
 order by c.relname, a.attnum
"""

Column = tuple[str, str, str]
"""Name, type, default, as the document writes them."""

WRITERS = {"application", "database", "functions", "listener", "trigger", "worker", "`xnovu novu`"}


def documented() -> dict[str, list[list[str]]]:
    """The rows of each table's table."""
    tables = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return {
        name: [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
        for name, text in tables
    }


def as_written(column: asyncpg.Record) -> Column:
    kind = re.sub(r"^(notify|extensions)\.", "", column["type"]).replace("timestamp with time zone", "timestamptz")
    if column["identity"]:
        default = "identity"
    elif column["expression"]:
        default = f"`{column['expression'].replace('notify.', '')}`"
    else:
        default = "required" if column["attnotnull"] else ""
    return f"`{column['attname']}`", kind if column["attnotnull"] else f"{kind}, null", default


async def test_the_document_names_every_column_as_the_migrations_make_it(server: Postgres) -> None:
    connection = await asyncpg.connect(server.database_url("fresh"))
    try:
        made: dict[str, list[Column]] = {}
        for column in await connection.fetch(COLUMNS):
            made.setdefault(column["relname"], []).append(as_written(column))
    finally:
        await connection.close()

    said = {name: [(row[0], row[1], row[2].strip()) for row in rows] for name, rows in documented().items()}

    assert sorted(said) == sorted(made)
    assert [(name, columns, said[name]) for name, columns in made.items() if said[name] != columns] == []


def test_every_column_says_who_writes_it_and_what_it_means() -> None:
    rows = [(name, row) for name, rows in documented().items() for row in rows]

    assert len(rows) > 200
    assert [row for row in rows if len(row[1]) != 5 or not row[1][4].strip()] == []
    assert {writer for _, row in rows for writer in row[3].split(", ")} <= WRITERS
