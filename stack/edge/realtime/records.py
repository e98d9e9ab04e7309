"""Rows as the JSON objects that events carry, made by PostgreSQL itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.frames import compact
from stack.edge.realtime.pgoutput import Row, RowChange, Unchanged
from stack.edge.realtime.relations import Column, Relation
from stack.edge.rest.identifiers import quote_identifier

# Of a row that is too large only the columns whose JSON is this short are sent.
_SHORT_BYTES = 64
# What a value's JSON may add to its text: quotes, or the `\x` that bytea loses.
_JSON_MARGIN = 8
_FLOATING = frozenset({"float4", "float8", "numeric"})
# The real server measures the JSON of its decoding plugin: beside the values, some 60 bytes a column and 120 a row.
_COLUMN_OVERHEAD_BYTES = 60
_ROW_OVERHEAD_BYTES = 120
# What JSON may make of one character at most; most rows are so short that this tells enough.
_ESCAPED_BYTES = 6


@dataclass(frozen=True)
class RecordRequest:
    """One row's values under the names of `columns`, of which `wanted` are to be in the JSON."""

    columns: tuple[str, ...]
    values: Row
    wanted: frozenset[str]
    too_large: bool

    def present(self) -> tuple[int, ...]:
        """The positions of the columns that go into the JSON as far as the values' sizes tell."""
        return tuple(
            position
            for position, (name, value) in enumerate(zip(self.columns, self.values, strict=True))
            if name in self.wanted
            and not isinstance(value, Unchanged)
            and not (self.too_large and (value is None or len(value.encode()) > _SHORT_BYTES + _JSON_MARGIN))
        )


async def build_records(connection: Connection, relation: Relation, requests: Sequence[RecordRequest]) -> list[str]:
    """The JSON of each request, in order. One statement for all rows that show the same columns."""
    groups: dict[tuple[tuple[int, ...], bool], list[int]] = defaultdict(list)
    for index, request in enumerate(requests):
        groups[(request.present(), request.too_large)].append(index)
    records = [""] * len(requests)
    for (positions, too_large), indexes in groups.items():
        names = requests[indexes[0]].columns
        # A column dropped since the change is left out: the catalogue no longer knows its type.
        shown = [(position, column) for position in positions if (column := relation.column(names[position]))]
        if not shown:
            continue
        arrays = [[requests[index].values[position] for index in indexes] for position, _ in shown]
        built = await connection.fetch(_statement([column for _, column in shown], too_large), *arrays)
        for index, row in zip(indexes, built, strict=True):
            records[index] = row[0]
    return [record or "{}" for record in records]


def _statement(columns: Sequence[Column], too_large: bool) -> str:
    arrays = ", ".join(f"${number + 1}::text[]" for number in range(len(columns)))
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    fields = ", ".join(
        f"{_json_ready(column, f'v.c{number}')} as {quote_identifier(column.name)}"
        for number, column in enumerate(columns)
    )
    record = "to_jsonb(r)"
    if too_large:
        short = f"octet_length(value::text) <= {_SHORT_BYTES}"
        record = f"(select jsonb_object_agg(key, value) from jsonb_each({record}) where {short})"
    return (
        f"select {record}::text from unnest({arrays}) with ordinality as v({names}, n)"
        f" cross join lateral (select {fields}) as r order by v.n"
    )


def _json_ready(column: Column, text: str) -> str:
    """A logged value as `to_jsonb` is to see it."""
    value = f"{text}::{column.sql_type}"
    if column.type_name == "bytea":
        return f"encode({value}, 'hex')"
    if column.type_name in _FLOATING:
        # JSON has no such numbers, and the decoding plugin of the real server writes null.
        return f"case when {text} not in ('NaN', 'Infinity', '-Infinity') then {value} end"
    return value


def exceeds(change: RowChange, limit_bytes: int) -> bool:
    """Whether the change, as the real server's decoding plugin would write it, is longer than the limit."""
    names = change.relation.columns
    rows = [row for row in (change.new, change.old) if row is not None]
    texts = [(name, value) for row in rows for name, value in zip(names, row, strict=True) if isinstance(value, str)]
    overhead = _ROW_OVERHEAD_BYTES + sum(len(name) + _COLUMN_OVERHEAD_BYTES for name, _ in texts)
    if overhead + _ESCAPED_BYTES * sum(len(value) for _, value in texts) <= limit_bytes:
        return False
    return overhead + sum(len(compact(value).encode()) for _, value in texts) > limit_bytes
