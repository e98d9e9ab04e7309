"""Calls of functions: POST with a JSON object of arguments, GET with arguments in the query string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stack.edge.rest.catalogue import Catalogue, Function, Returns
from stack.edge.rest.embedding import with_children
from stack.edge.rest.errors import ambiguous_function, function_not_found, not_implemented
from stack.edge.rest.fields import Field
from stack.edge.rest.identifiers import qualified, quote_identifier
from stack.edge.rest.query_string import Query
from stack.edge.rest.selection import ALL_COLUMNS, Selected
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

_EVERYTHING = (Selected(Field(ALL_COLUMNS), None),)
_JSON_TYPES = frozenset({"json", "jsonb"})


def choose_function(catalogue: Catalogue, schema: str, name: str, arguments: Sequence[str]) -> Function:
    """The one function of that name that takes these arguments. Raises PGRST202 for none, PGRST203 for several."""
    overloads = catalogue.functions.get((schema, name), ())
    fitting = [function for function in overloads if function.accepts(frozenset(arguments))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ambiguous_function([function.signature for function in fitting])
    listed = [", ".join(sorted(argument.name for argument in function.arguments)) for function in overloads]
    raise function_not_found(schema, name, arguments, listed, catalogue.function_names(schema))


def call_statement(
    catalogue: Catalogue,
    function: Function,
    query: Query,
    arguments: str | Mapping[str, str],
    names: Sequence[str],
    *,
    limit: int,
    offset: int,
    singular: bool,
    counts: bool,
    read_only: bool,
) -> Statement:
    """Call `function` with the arguments `names` out of `arguments`: a JSON text, or a text for each name."""
    parameters = Parameters()
    passed, origin = _arguments(function, arguments, names, parameters)
    call = f"{qualified(function.schema, function.name)}({passed})"
    if function.returns in {Returns.VOID, Returns.SCALAR}:
        _refuse_shaping(query, function, allow_page=False)
        sql = _scalar(function, call, origin)
    else:
        scalars = function.returns is Returns.SCALAR_SET
        if scalars:
            _refuse_shaping(query, function, allow_page=True)
        lateral = f"{origin}, lateral {call}" if origin else call
        called = f"select edge_call.* from {lateral} as edge_call{'(edge_scalar)' if scalars else ''}"
        source = Source("edge_called", function.result_columns)
        origin_table = function.result_table or (function.schema, function.name)
        source = with_children(source, origin_table, query.embeds, query.order, catalogue, parameters)
        filtered = f"from edge_called{where(query.conditions, source, parameters)}"
        rows = (
            f"select {select_list(query.selection, source, parameters)} {filtered}"
            f"{order_by(query.order, source, parameters)}{page(limit, offset, parameters)}"
        )
        total = f"(select pg_catalog.count(*) {filtered})" if counts else UNKNOWN_TOTAL
        body = JSON_OBJECT if singular or function.returns is Returns.ROW else JSON_ARRAY
        if scalars:
            body = body.replace("edge_row", "edge_row.edge_scalar")
        sql = (
            f"with edge_called as ({called})"
            f" select {total} as total, pg_catalog.count(*) as page_count, {body} as body,"
            f" null::int as inserted, null::text[] as location from ({rows}) edge_row"
        )
    return Statement(parameters.all_named(sql), parameters.values, read_only)


def _arguments(
    function: Function, arguments: str | Mapping[str, str], names: Sequence[str], parameters: Parameters
) -> tuple[str, str]:
    """The SQL of the argument list, and of the row source it reads from, if any."""
    types = {argument.name: argument.type_name for argument in function.arguments}
    if not names:
        return "", ""
    if isinstance(arguments, str):
        typed = ", ".join(f"{quote_identifier(name)} {types[name]}" for name in names)
        origin = f"pg_catalog.json_to_record({parameters.json(arguments)}) as edge_body({typed})"
        return ", ".join(f"{quote_identifier(name)} => edge_body.{quote_identifier(name)}" for name in names), origin
    values = {name: parameters.text(arguments[name], types[name]) for name in names}
    return ", ".join(f"{quote_identifier(name)} => {value}" for name, value in values.items()), ""


def _scalar(function: Function, call: str, origin: str) -> str:
    """One value is passed on as PostgreSQL prints it, without an aggregate that would copy it."""
    if function.returns is Returns.VOID or function.return_type in _JSON_TYPES:
        value = f"({call})::text"
    else:
        value = f"pg_catalog.to_json({call})::text"
    return (
        f"select {UNKNOWN_TOTAL} as total, 1::bigint as page_count, coalesce({value}, 'null') as body,"
        f" null::int as inserted, null::text[] as location{f' from {origin}' if origin else ''}"
    )


def _refuse_shaping(query: Query, function: Function, *, allow_page: bool) -> None:
    shaped = query.conditions or query.order or query.embeds or query.selection != _EVERYTHING
    paged = query.limit is not None or query.offset
    if shaped or (paged and not allow_page):
        raise not_implemented(f"filters, order or columns on {function.name}, which returns no rows")
