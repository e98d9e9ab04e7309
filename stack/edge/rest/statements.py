"""SQL with its parameters, and the clauses that reads, writes and calls have in common.

Values are always parameters, sent as text and cast to the column's type by PostgreSQL; names are always quoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stack.edge.rest.catalogue import Column
from stack.edge.rest.conditions import COMPARISONS, Comparison, Condition, Is, Junction, Membership
from stack.edge.rest.errors import bad_operator_on_embedded, not_embedded
from stack.edge.rest.fields import Field
from stack.edge.rest.identifiers import quote_identifier
from stack.edge.rest.selection import ALL_COLUMNS, OrderTerm, Selected

_JSON_TYPES = frozenset({"json", "jsonb"})
_ON_TEXT = frozenset({"like", "ilike", "match", "imatch"})
_NULLNESS = {"null": "not ", "not null": ""}
JSON_ARRAY = "coalesce(pg_catalog.json_agg(edge_row)::text, '[]')"
JSON_OBJECT = "coalesce((pg_catalog.json_agg(edge_row) -> 0)::text, 'null')"
UNKNOWN_TOTAL = "null::bigint"


@dataclass(frozen=True)
class Statement:
    """One SQL statement. Its one row: total, page_count (bigint), body (text), inserted (int), location (text[]).

    With an `estimate`, the total is what the planner expects of it, unless it was counted and is at most `exact_up_to`.
    """

    sql: str
    arguments: tuple[str | list[str], ...]
    read_only: bool
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Estimate:
    """A query whose rows the planner is asked for."""

    sql: str
    arguments: tuple[str | list[str], ...]
    exact_up_to: int


class Parameters:
    """The values of a statement in the making; each gets the next number."""

    def __init__(self) -> None:
        self._values: list[str | list[str]] = []
        self._named: list[str] = []

    @property
    def values(self) -> tuple[str | list[str], ...]:
        return tuple(self._values)

    def json(self, text: str) -> str:
        return self._next(text, "json")

    def text(self, value: str, type_name: str = "text") -> str:
        """`value` as PostgreSQL reads it for `type_name`, a name from the catalogue."""
        cast = "" if type_name == "text" else f"::{type_name}"
        return self._next(value, "text") + cast

    def texts(self, values: Sequence[str], type_name: str) -> str:
        return f"{self._next(list(values), 'text[]')}::{type_name}[]"

    def all_named(self, sql: str) -> str:
        """`sql`, naming each value at least once: those of a clause that was left out would have no type."""
        if not self._named:
            return sql
        named = f"with edge_values as (select {', '.join(self._named)})"
        return f"{named}, {sql.removeprefix('with ')}" if sql.startswith("with ") else f"{named} {sql}"

    def _next(self, value: str | list[str], type_name: str) -> str:
        self._values.append(value)
        self._named.append(f"${len(self._values)}::{type_name}")
        return self._named[-1]


@dataclass(frozen=True)
class Child:
    """A resource embedded in each row of a source. `rows` is a query of what belongs to one of them.

    Where it `is_required` only rows that have some are shown.
    """

    name: str
    alias: str | None
    rows: str
    columns: Mapping[str, Column]
    is_to_one: bool
    is_required: bool
    is_shown: bool

    @property
    def output_name(self) -> str:
        return self.alias or self.name

    @property
    def names(self) -> frozenset[str]:
        """How a client may mean it in a filter or an order."""
        return frozenset({self.name, self.output_name})

    @property
    def exists(self) -> str:
        return f"exists ({self.rows})"

    @property
    def json(self) -> str:
        if self.is_to_one:
            return f"(select pg_catalog.row_to_json(edge_one)::jsonb from ({self.rows}) edge_one)"
        many = f"(select pg_catalog.json_agg(edge_many)::jsonb from ({self.rows}) edge_many)"
        return f"coalesce({many}, '[]')"


@dataclass(frozen=True)
class Source:
    """What a clause's columns belong to: SQL of its name, the columns known of it, and what is embedded in its rows."""

    name: str
    columns: Mapping[str, Column]
    children: tuple[Child, ...] = ()

    def child(self, name: str) -> Child | None:
        return next((child for child in self.children if name in child.names), None)

    def column(self, name: str) -> str:
        return f"{self.name}.*" if name == ALL_COLUMNS else f"{self.name}.{quote_identifier(name)}"

    def field(self, field: Field, parameters: Parameters) -> str:
        """SQL of a column, or of what its JSON holds at a path; a column of another type is made JSON first."""
        sql = self.column(field.column)
        if not field.path:
            return sql
        if self._column_type(field.column) not in _JSON_TYPES:
            sql = f"pg_catalog.to_jsonb({sql})"
        for step in field.path:
            place = parameters.text(step.key, "int4" if step.is_index else "text")
            sql = f"({sql} {'->>' if step.as_text else '->'} {place})"
        return sql

    def base_type(self, field: Field) -> str:
        """What `field` is compared as."""
        column_type = self._column_type(field.column)
        if not field.path:
            return column_type
        if field.path[-1].as_text:
            return "text"
        return column_type if column_type in _JSON_TYPES else "jsonb"

    def _column_type(self, name: str) -> str:
        """Of a column that is not there PostgreSQL says so itself, whatever the type."""
        column = self.columns.get(name)
        return column.base_type if column else "text"


def select_list(selection: Sequence[Selected], source: Source, parameters: Parameters) -> str:
    columns = [_output(item, source, parameters) for item in selection]
    embedded = [f"{child.json} as {quote_identifier(child.output_name)}" for child in source.children if child.is_shown]
    return ", ".join(columns + embedded)


def _output(item: Selected, source: Source, parameters: Parameters) -> str:
    name = item.alias or item.field.output_name
    return source.field(item.field, parameters) + (f" as {quote_identifier(name)}" if name else "")


def where(conditions: Sequence[Condition], source: Source, parameters: Parameters, joined: Sequence[str] = ()) -> str:
    """`conditions`, the SQL of `joined`, and that there is what must be embedded."""
    required = [child.exists for child in source.children if child.is_required]
    clauses = [*joined, *(_condition(condition, source, parameters) for condition in conditions), *required]
    return f" where {' and '.join(clauses)}" if clauses else ""


def order_by(terms: Sequence[OrderTerm], source: Source, parameters: Parameters) -> str:
    """Raises RestError PGRST108 for the order by a resource that is not embedded."""
    if not terms:
        return ""
    nulls = {None: "", True: " nulls first", False: " nulls last"}
    return " order by " + ", ".join(
        f"{_ordered_by(term, source, parameters)} {'desc' if term.descending else 'asc'}{nulls[term.nulls_first]}"
        for term in terms
    )


def _ordered_by(term: OrderTerm, source: Source, parameters: Parameters) -> str:
    if term.relation is None:
        return source.field(term.field, parameters)
    child = source.child(term.relation)
    if child is None:
        raise not_embedded(term.relation)
    return f"(select {Source('edge_one', child.columns).field(term.field, parameters)} from ({child.rows}) edge_one)"


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
    child = None if condition.field.path else source.child(condition.field.column)
    if child is not None and isinstance(condition, Is) and condition.keyword in _NULLNESS:
        return f"({_NULLNESS[condition.keyword]}{child.exists})"
    if child is not None and condition.field.column not in source.columns:
        raise bad_operator_on_embedded(condition.field.column)
    field = source.field(condition.field, parameters)
    if isinstance(condition, Is):
        return f"({field} is {condition.keyword})"
    if isinstance(condition, Membership):
        return f"({field} = any({parameters.texts(condition.values, source.base_type(condition.field))}))"
    return f"({field} {COMPARISONS[condition.operator]} {_operand(condition, source, parameters)})"


def _operand(condition: Comparison, source: Source, parameters: Parameters) -> str:
    if condition.operator in _ON_TEXT:
        pattern = condition.value.replace("*", "%") if "like" in condition.operator else condition.value
        return parameters.text(pattern)
    return parameters.text(condition.value, source.base_type(condition.field))
