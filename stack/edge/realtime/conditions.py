"""Filters as SQL: which of them hold for rows as the log gives them."""

from __future__ import annotations

from collections.abc import Sequence

from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.filters import Filter
from stack.edge.realtime.pgoutput import Row, Unchanged
from stack.edge.realtime.relations import Relation

IS_KEYWORDS = ("null", "true", "false", "unknown")
_INFIX = {
    "eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=",
    "like": "like", "ilike": "ilike", "match": "~", "imatch": "~*",
}  # fmt: skip


async def holding_filters(
    connection: Connection,
    relation: Relation,
    filters: Sequence[Filter],
    columns: Sequence[str],
    rows: Sequence[Row],
) -> list[frozenset[Filter]]:
    """For each of `rows`, values of `columns` as logged, those of `filters` that hold.

    A filter on a null does not hold (`is` and `isdistinct` may), nor one on a column the log left out.
    Raises asyncpg.PostgresError where a column's type does not know the operator, as `=` on json.
    """
    if not filters or not rows:
        return [frozenset()] * len(rows)
    arguments: list[object] = [
        [None if isinstance(row[position], Unchanged) else row[position] for row in rows]
        for position in range(len(columns))
    ]
    position_of = {name: position for position, name in enumerate(columns)}
    conditions = []
    for filter_ in filters:
        column = relation.column(filter_.column)
        sql_type = "text" if column is None else column.sql_type
        operand = f"v.c{position_of[filter_.column]}::{sql_type}"
        conditions.append(f"coalesce({_condition(filter_, operand, sql_type, arguments)}, false)")
    arrays = ", ".join(f"${position + 1}::text[]" for position in range(len(columns)))
    names = ", ".join(f"c{position}" for position in range(len(columns)))
    truths = await connection.fetch(
        f"select array[{', '.join(conditions)}] from unnest({arrays}) with ordinality as v({names}, n) order by v.n",
        *arguments,
    )
    return [
        frozenset(
            filter_
            for filter_, holds in zip(filters, truth[0], strict=True)
            if holds and not isinstance(row[position_of[filter_.column]], Unchanged)
        )
        for row, truth in zip(rows, truths, strict=True)
    ]


def _condition(filter_: Filter, operand: str, sql_type: str, arguments: list[object]) -> str:
    """The filter as SQL; its value goes into `arguments`, never into the text."""
    negation = "not " if filter_.negated else ""
    if filter_.operator == "is":
        # A keyword, checked when the subscription was made: nothing a client wrote gets here.
        keyword = IS_KEYWORDS[IS_KEYWORDS.index(filter_.value)]
        return f"{operand} is {negation}{keyword}"
    arguments.append(filter_.value)
    value = f"${len(arguments)}::text::{sql_type}"
    if filter_.operator == "isdistinct":
        return f"{operand} is {negation}distinct from {value}"
    if filter_.operator == "in":
        return f"{negation}({operand} = any ({value}[]))"
    return f"{negation}({operand} {_INFIX[filter_.operator]} {value})"
