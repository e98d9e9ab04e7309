"""SQL with its parameters, and the clauses that reads, writes and calls have in common.

Values are always parameters, sent as text and cast to the column's type by PostgreSQL; names are always quoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stack.edge.rest.catalogue import Column
from stack.edge.rest.conditions import COMPARISONS, Comparison, Condition, Is, Junction, Membership
from stack.edge.rest.identifiers import quote_identifier
from stack.edge.rest.query_string import ALL_COLUMNS, OrderTerm, Selected

_ON_TEXT = frozenset({"like", "ilike", "match", "imatch"})
JSON_ARRAY = "coalesce(pg_catalog.json_agg(edge_row)::text, '[]')"
JSON_OBJECT = "coalesce((pg_catalog.json_agg(edge_row) -> 0)::text, 'null')"
UNKNOWN_TOTAL = "null::bigint"


@dataclass(frozen=True)
class Statement:
    """One SQL statement. Its one row: total, page_count (bigint), body (text), inserted (int), location (text[])."""

    sql: str
    arguments: tuple[str | list[str], ...]
    read_only: bool


class Parameters:
    """The values of a statement in the making; each gets the next number."""

    def __init__(self) -> None:
        self._values: list[str | list[str]] = []

    @property
    def values(self) -> tuple[str | list[str], ...]:
        return tuple(self._values)

    def json(self, text: str) -> str:
        self._values.append(text)
        return f"${len(self._values)}::json"

    def text(self, value: str, type_name: str = "text") -> str:
        """`value` as PostgreSQL reads it for `type_name`, a name from the catalogue."""
        self._values.append(value)
        cast = "" if type_name == "text" else f"::{type_name}"
        return f"${len(self._values)}::text{cast}"

    def texts(self, values: Sequence[str], type_name: str) -> str:
        self._values.append(list(values))
        return f"${len(self._values)}::text[]::{type_name}[]"


@dataclass(frozen=True)
class Source:
    """What a clause's columns belong to: SQL of its name, and the columns known of it."""

    name: str
    columns: Mapping[str, Column]

    def column(self, name: str) -> str:
        return f"{self.name}.*" if name == ALL_COLUMNS else f"{self.name}.{quote_identifier(name)}"

    def base_type(self, name: str) -> str:
        """Of a column that is not there PostgreSQL says so itself, whatever the type."""
        column = self.columns.get(name)
        return column.base_type if column else "text"


def select_list(selection: Sequence[Selected], source: Source) -> str:
    return ", ".join(
        source.column(item.column) + (f" as {quote_identifier(item.alias)}" if item.alias else "") for item in selection
    )


def where(conditions: Sequence[Condition], source: Source, parameters: Parameters) -> str:
    if not conditions:
        return ""
    return " where " + " and ".join(_condition(condition, source, parameters) for condition in conditions)


def order_by(terms: Sequence[OrderTerm], source: Source) -> str:
    if not terms:
        return ""
    nulls = {None: "", True: " nulls first", False: " nulls last"}
    return " order by " + ", ".join(
        f"{source.column(term.column)} {'desc' if term.descending else 'asc'}{nulls[term.nulls_first]}"
        for term in terms
    )


def page(limit: int | None, offset: int, parameters: Parameters) -> str:
    """`limit` and `offset` as parameters, so that every page shares one prepared statement."""
    rows = "" if limit is None else f" limit {parameters.text(str(limit), 'bigint')}"
    return rows + (f" offset {parameters.text(str(offset), 'bigint')}" if offset else "")


def _condition(condition: Condition, source: Source, parameters: Parameters) -> str:
    return ("not " if condition.negated else "") + _affirmed(condition, source, parameters)


def _affirmed(condition: Condition, source: Source, parameters: Parameters) -> str:
    if isinstance(condition, Junction):
        joined = f" {condition.conjunction} ".join(
            _condition(member, source, parameters) for member in condition.conditions
        )
        return f"({joined})"
    column = source.column(condition.column)
    if isinstance(condition, Is):
        return f"({column} is {condition.keyword})"
    if isinstance(condition, Membership):
        return f"({column} = any({parameters.texts(condition.values, source.base_type(condition.column))}))"
    return f"({column} {COMPARISONS[condition.operator]} {_operand(condition, source, parameters)})"


def _operand(condition: Comparison, source: Source, parameters: Parameters) -> str:
    if condition.operator in _ON_TEXT:
        pattern = condition.value.replace("*", "%") if "like" in condition.operator else condition.value
        return parameters.text(pattern)
    return parameters.text(condition.value, source.base_type(condition.column))
