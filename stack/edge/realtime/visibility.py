"""Which rows a role may see under row-level security, asked as the real server asks: does its row exist for it?"""

from __future__ import annotations

from collections.abc import Sequence

from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.relations import Relation
from stack.edge.rest.identifiers import qualified, quote_identifier


async def visible_rows(
    connection: Connection,
    relation: Relation,
    keys: Sequence[tuple[str | None, ...]],
    role: str,
    claims: str,
) -> list[bool]:
    """For each primary key, as logged text, whether `role` with `claims` sees a row with it now.

    A row deleted meanwhile is seen by nobody, and a role with BYPASSRLS sees all others: there is no other rule.
    Raises asyncpg.InsufficientPrivilegeError for a role that may not select at all.
    """
    arrays = ", ".join(f"${number + 1}::text[]" for number in range(len(relation.primary_key)))
    names = ", ".join(f"k{number}" for number in range(len(relation.primary_key)))
    same_key = " and ".join(
        f"t.{quote_identifier(column.name)} = v.k{number}::{column.sql_type}"
        for number, column in enumerate(relation.primary_key)
    )
    async with connection.transaction():
        await connection.execute(
            "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", role, claims
        )
        rows = await connection.fetch(
            f"select exists (select from {qualified(relation.schema, relation.table)} as t where {same_key})"
            f" from unnest({arrays}) with ordinality as v({names}, n) order by v.n",
            *(list(column) for column in zip(*keys, strict=True)),
        )
    return [row[0] for row in rows]
