"""GET and HEAD of a table or view."""

from __future__ import annotations

from stack.edge.rest.catalogue import Table
from stack.edge.rest.identifiers import qualified
from stack.edge.rest.query_string import Query
from stack.edge.rest.statements import (
    JSON_ARRAY,
    JSON_OBJECT,
    UNKNOWN_TOTAL,
    Parameters,
    Source,
    Statement,
    order_by,
    page,
    select_list,
    where,
)


def read_statement(table: Table, query: Query, *, limit: int, offset: int, singular: bool, counts: bool) -> Statement:
    """Select `limit` rows from `offset` on; with `counts` also how many there are without limit and offset."""
    name = qualified(table.schema, table.name)
    source = Source(name, table.columns)
    parameters = Parameters()
    filtered = f"from {name}{where(query.conditions, source, parameters)}"
    total = f"(select pg_catalog.count(*) {filtered})" if counts else UNKNOWN_TOTAL
    rows = (
        f"select {select_list(query.selection, source)} {filtered}"
        f"{order_by(query.order, source)}{page(limit, offset, parameters)}"
    )
    sql = (
        f"select {total} as total, pg_catalog.count(*) as page_count,"
        f" {JSON_OBJECT if singular else JSON_ARRAY} as body, null::int as inserted, null::text[] as location"
        f" from ({rows}) edge_row"
    )
    return Statement(sql, parameters.values, read_only=True)
