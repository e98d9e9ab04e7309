"""Tables as the catalogue describes them now: what filters, events and access checks need to know."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from stack.edge.realtime.change_slot import Connection

_DESCRIBE = """
    select a.attname as name,
           t.typname as type_name,
           pg_catalog.format_type(a.atttypid, a.atttypmod) as sql_type,
           coalesce(a.attnum = any (k.conkey), false) as in_primary_key,
           c.relrowsecurity as row_security,
           n.nspname as schema,
           c.relname as table,
           array(
               select reader from unnest($2::text[]) as reader
               where pg_catalog.has_column_privilege(reader::regrole, a.attrelid, a.attnum, 'SELECT')
           ) as readers
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    where c.oid = $1
    order by a.attnum
"""


@dataclass(frozen=True)
class Column:
    """A column; `readers` are those of the roles asked about that may select it."""

    name: str
    type_name: str
    sql_type: str
    in_primary_key: bool
    readers: frozenset[str]


@dataclass(frozen=True)
class Relation:
    """A table with its columns in order."""

    schema: str
    table: str
    row_security: bool
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def primary_key(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.in_primary_key)


async def describe_relation(connection: Connection, oid: int, roles: Collection[str]) -> Relation | None:
    """The table with that oid, or None if it has been dropped.

    Raises asyncpg.UndefinedObjectError for a role that does not exist.
    """
    rows = await connection.fetch(_DESCRIBE, oid, [quoted_role(role) for role in roles])
    if not rows:
        return None
    names = {quoted_role(role): role for role in roles}
    columns = tuple(
        Column(
            row["name"],
            row["type_name"],
            row["sql_type"],
            row["in_primary_key"],
            frozenset(names[reader] for reader in row["readers"]),
        )
        for row in rows
    )
    return Relation(rows[0]["schema"], rows[0]["table"], rows[0]["row_security"], columns)


def quoted_role(role: str) -> str:
    """A role's name as `regrole` reads it: unquoted, it would be folded to lower case."""
    return '"' + role.replace('"', '""') + '"'
