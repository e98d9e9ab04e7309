"""POST, PATCH and DELETE of a table: the JSON text goes to PostgreSQL, which makes rows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stack.edge.rest.catalogue import Catalogue, Table
from stack.edge.rest.embedding import with_children
from stack.edge.rest.errors import column_not_found
from stack.edge.rest.identifiers import qualified, quote_identifier, quote_literal
from stack.edge.rest.payload import Payload
from stack.edge.rest.preferences import Preferences
from stack.edge.rest.query_string import Query
from stack.edge.rest.selection import ALL_COLUMNS
from stack.edge.rest.statements import (
    JSON_ARRAY,
    JSON_OBJECT,
    Parameters,
    Source,
    Statement,
    select_list,
    where,
)

# Counts inserted rows of an upsert: one up before each insert, one down when it turned into an update.
_INSERTED = "coalesce(nullif(pg_catalog.current_setting('edge.inserted', true), ''), '0')::int"
_ONE_MORE = f"pg_catalog.set_config('edge.inserted', ({_INSERTED} + 1)::text, true) <> ''"
_ONE_LESS = f"pg_catalog.set_config('edge.inserted', ({_INSERTED} - 1)::text, true) <> ''"


@dataclass(frozen=True)
class Answer:
    """What of the written rows is wanted back."""

    returning: str | None
    singular: bool

    @property
    def wants_rows(self) -> bool:
        return self.returning == "representation"


def insert_statement(
    catalogue: Catalogue, table: Table, query: Query, payload: Payload, preferences: Preferences, answer: Answer
) -> Statement:
    """Insert the rows of `payload`, or merge or skip those that conflict. Raises PGRST204 for an unknown column."""
    columns = _checked_columns(table, payload.names)
    parameters = Parameters()
    listed = ", ".join(map(quote_identifier, columns))
    target = query.on_conflict or table.primary_key
    merges = preferences.resolution == "merge-duplicates" and bool(target)
    skips = preferences.resolution == "ignore-duplicates" and bool(target)
    sql = (
        f"insert into {qualified(table.schema, table.name)}{f' ({listed})' if columns else ''}"
        f" select {listed} from {_rows(table, columns, payload, preferences, parameters)}"
    )
    if merges:
        sql += f" where {_ONE_MORE}"
    if merges or skips:
        sql += f" on conflict ({', '.join(map(quote_identifier, target))})"
        sql += _merge(columns) if merges and columns else " do nothing"
    inserted = _INSERTED if merges else "null::int"
    return _write(catalogue, table, query, sql, parameters, answer, inserted)


def update_statement(
    catalogue: Catalogue, table: Table, query: Query, payload: Payload, preferences: Preferences, answer: Answer
) -> Statement:
    """Update every row the conditions let through. Raises PGRST204 for an unknown column."""
    columns = _checked_columns(table, payload.names)
    source = _source(table)
    parameters = Parameters()
    if not columns:
        return Statement(
            "select null::bigint as total, 0::bigint as page_count, '[]' as body, null::int as inserted,"
            " null::text[] as location",
            (),
            read_only=False,
        )
    assignments = ", ".join(f"{quote_identifier(column)} = edge_body.{quote_identifier(column)}" for column in columns)
    sql = (
        f"update {source.name} set {assignments} from {_rows(table, columns, payload, preferences, parameters)}"
        f"{where(query.conditions, source, parameters)}"
    )
    return _write(catalogue, table, query, sql, parameters, answer, "null::int")


def delete_statement(catalogue: Catalogue, table: Table, query: Query, answer: Answer) -> Statement:
    """Delete every row the conditions let through."""
    source = _source(table)
    parameters = Parameters()
    sql = f"delete from {source.name}{where(query.conditions, source, parameters)}"
    return _write(catalogue, table, query, sql, parameters, answer, "null::int")


def _source(table: Table) -> Source:
    return Source(qualified(table.schema, table.name), table.columns)


def _checked_columns(table: Table, names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in table.columns:
            raise column_not_found(table.name, name)
    return names


def _merge(columns: Sequence[str]) -> str:
    assignments = ", ".join(f"{quote_identifier(column)} = excluded.{quote_identifier(column)}" for column in columns)
    return f" do update set {assignments} where {_ONE_LESS}"


def _rows(
    table: Table, columns: Sequence[str], payload: Payload, preferences: Preferences, parameters: Parameters
) -> str:
    """The payload as a row source named edge_body with one column per name, typed as the table's."""
    if not columns and not payload.is_array:
        return "(values (1)) edge_body"
    document = parameters.json(payload.text)
    if not columns:
        return f"pg_catalog.json_array_elements({document}) edge_body"
    typed = ", ".join(f"{quote_identifier(name)} {table.columns[name].declared_type}" for name in columns)
    kind = "json"
    if preferences.missing == "default":
        document, kind = _with_defaults(table, columns, document, is_array=payload.is_array), "jsonb"
    function = f"{kind}_to_recordset" if payload.is_array else f"{kind}_to_record"
    return f"pg_catalog.{function}({document}) as edge_body({typed})"


def _with_defaults(table: Table, columns: Sequence[str], document: str, *, is_array: bool) -> str:
    """`document` with the column's default wherever an object lacks a named column."""
    pairs = ", ".join(
        f"{quote_literal(name)}, {table.columns[name].default_expression}"
        for name in columns
        if table.columns[name].default_expression
    )
    defaults = f"pg_catalog.jsonb_build_object({pairs})"
    if not is_array:
        return f"{defaults} || ({document})::jsonb"
    return (
        f"(select pg_catalog.jsonb_agg({defaults} || edge_element)"
        f" from pg_catalog.jsonb_array_elements(({document})::jsonb) edge_element)"
    )


def _write(
    catalogue: Catalogue, table: Table, query: Query, sql: str, parameters: Parameters, answer: Answer, inserted: str
) -> Statement:
    """Wrap the change so that one row says how many were affected and, if wanted, what they are now."""
    source = _source(table)
    changed = Source("edge_changed", table.columns)
    only = ""
    returned, shown, body, location = "1", "*", "''", "null::text[]"
    if answer.wants_rows:
        names = dict.fromkeys(item.field.column for item in query.selection)
        changed = with_children(changed, (table.schema, table.name), query.embeds, (), catalogue, parameters)
        only = where((), changed, parameters)
        everything = ALL_COLUMNS in names or query.embeds
        returned = source.column(ALL_COLUMNS) if everything else ", ".join(map(source.column, names))
        shown = select_list(query.selection, changed, parameters)
        body = JSON_OBJECT if answer.singular else JSON_ARRAY
    elif answer.returning == "headers-only" and table.primary_key:
        returned = ", ".join(map(source.column, table.primary_key))
        location = (
            "(select pg_catalog.array_agg(edge_key.key || '=' || coalesce('eq.' || edge_key.value, 'is.null'))"
            " from edge_changed, pg_catalog.json_each_text(pg_catalog.row_to_json(edge_changed)) edge_key)"
        )
    statement = (
        f"with edge_changed as ({sql} returning {returned})"
        f" select null::bigint as total, pg_catalog.count(*) as page_count, {body} as body,"
        f" {inserted} as inserted, {location} as location"
        f" from (select {shown} from edge_changed{only}) edge_row"
    )
    return Statement(parameters.all_named(statement), parameters.values, read_only=False)
