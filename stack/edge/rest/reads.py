"""GET and HEAD of a table or view."""

from __future__ import annotations

from stack.edge.rest.catalogue import Catalogue, Table
from stack.edge.rest.embedding import with_children
from stack.edge.rest.identifiers import qualified
from stack.edge.rest.negotiation import MAX_ROWS
from stack.edge.rest.preferences import Preferences
from stack.edge.rest.query_string import Query
from stack.edge.rest.statements import (
    JSON_ARRAY,
    JSON_OBJECT,
    UNKNOWN_TOTAL,
    Estimate,
    Parameters,
    Source,
    Statement,
    order_by,
    page,
    select_list,
    where,
)


def read_statement(
    catalogue: Catalogue,
    table: Table,
    query: Query,
    *,
    limit: int,
    offset: int,
    singular: bool,
    preferences: Preferences,
) -> Statement:
    """Select `limit` rows from `offset` on; where a count is preferred also how many there are without both."""
    parameters = Parameters()
    source = _source(catalogue, table, query, parameters)
    filtered = f"from {source.name}{where(query.conditions, source, parameters)}"
    rows = (
        f"select {select_list(query.selection, source, parameters)} {filtered}"
        f"{order_by(query.order, source, parameters)}{page(limit, offset, parameters)}"
    )
    sql = (
        f"select {_total(filtered, preferences)} as total, pg_catalog.count(*) as page_count,"
        f" {JSON_OBJECT if singular else JSON_ARRAY} as body, null::int as inserted, null::text[] as location"
        f" from ({rows}) edge_row"
    )
    estimate = _estimate(catalogue, table, query) if preferences.estimates else None
    return Statement(parameters.all_named(sql), parameters.values, read_only=True, estimate=estimate)


def _total(filtered: str, preferences: Preferences) -> str:
    if not preferences.counts:
        return UNKNOWN_TOTAL
    if preferences.estimates:
        # Enough to know whether there are more than a page may hold.
        filtered = f"from (select 1 {filtered} limit {MAX_ROWS + 1}) edge_counted"
    return f"(select pg_catalog.count(*) {filtered})"


def _source(catalogue: Catalogue, table: Table, query: Query, parameters: Parameters) -> Source:
    source = Source(qualified(table.schema, table.name), table.columns)
    return with_children(source, (table.schema, table.name), query.embeds, query.order, catalogue, parameters)


def _estimate(catalogue: Catalogue, table: Table, query: Query) -> Estimate:
    parameters = Parameters()
    source = _source(catalogue, table, query, parameters)
    sql = f"select 1 from {source.name}{where(query.conditions, source, parameters)}"
    return Estimate(parameters.all_named(sql), parameters.values, exact_up_to=MAX_ROWS)
