"""What is done for a request: read a table, write it, call a function."""

from __future__ import annotations

from starlette.responses import Response

from stack.edge.rest.answers import change_answer, content_headers, insert_answer, read_answer
from stack.edge.rest.asked import Asked
from stack.edge.rest.calls import call_statement, choose_function
from stack.edge.rest.catalogue import Catalogue, Returns, Table
from stack.edge.rest.database import Database, Outcome
from stack.edge.rest.errors import (
    invalid_path,
    invalid_rpc_method,
    max_affected_needs_a_set,
    not_implemented,
    not_singular,
    table_not_found,
    too_many_affected,
    unsupported_method,
)
from stack.edge.rest.payload import read_payload
from stack.edge.rest.reads import read_statement
from stack.edge.rest.writes import Answer, delete_statement, insert_statement, update_statement


async def act(asked: Asked, catalogue: Catalogue, database: Database) -> Response:
    """Do what is asked, by the names `catalogue` knows. Raises RestError, having changed nothing."""
    match asked.target:
        case ():
            raise not_implemented("the OpenAPI description at the root")
        case ("rpc", name):
            return await _call(asked, catalogue, name, database)
        case (name,):
            table = catalogue.tables.get((asked.profile.schema, name))
            if table is None:
                raise table_not_found(asked.profile.schema, name, catalogue.table_names(asked.profile.schema))
            if asked.is_reading:
                return await _read(asked, table, catalogue, database)
            return await _write(asked, table, catalogue, database)
        case _:
            raise invalid_path()


async def _read(asked: Asked, table: Table, catalogue: Catalogue, database: Database) -> Response:
    statement = read_statement(
        catalogue,
        table,
        asked.query,
        limit=asked.page.limit,
        offset=asked.page.offset,
        singular=asked.singular,
        preferences=asked.preferences,
    )

    outcome = await database.run(asked.context, statement, lambda outcome: _verify_singular(asked, outcome))
    headers = content_headers(asked.profile, singular=asked.singular) | asked.preferences.applied("count", "handling")
    return read_answer(outcome, asked.page, headers, with_body=asked.method == "GET")


async def _write(asked: Asked, table: Table, catalogue: Catalogue, database: Database) -> Response:
    if asked.query.order:
        raise not_implemented("order on writes")
    preferences, query = asked.preferences, asked.query
    answer = Answer(preferences.returning, asked.singular)
    headers = content_headers(asked.profile, singular=asked.singular) if answer.wants_rows else {}

    if asked.method == "POST":
        payload = read_payload(asked.body, asked.content_type, query.columns, empty_is_object=False)
        statement = insert_statement(catalogue, table, query, payload, preferences, answer)
        outcome = await database.run(asked.context, statement, lambda outcome: _verify_singular(asked, outcome))
        headers |= preferences.applied("resolution", "missing", "return", "count", "handling")
        return insert_answer(outcome, table.name, preferences, headers)
    if asked.method == "PATCH":
        payload = read_payload(asked.body, asked.content_type, query.columns, empty_is_object=False)
        if payload.is_array:
            raise not_implemented("updates by an array")
        statement = update_statement(catalogue, table, query, payload, preferences, answer)
    elif asked.method == "DELETE":
        statement = delete_statement(catalogue, table, query, answer)
    elif asked.method in {"PUT", "OPTIONS"}:
        raise not_implemented(f"the method {asked.method}")
    else:
        raise unsupported_method(asked.method)
    outcome = await database.run(asked.context, statement, lambda outcome: _verify_change(asked, outcome))
    headers |= preferences.applied("missing", "return", "count", "handling", "max-affected")
    return change_answer(outcome, preferences, headers, shows_range=asked.method == "PATCH")


async def _call(asked: Asked, catalogue: Catalogue, name: str, database: Database) -> Response:
    query, page = asked.query, asked.page
    if asked.method == "POST":
        payload = read_payload(asked.body, asked.content_type, query.columns, empty_is_object=True)
        if payload.is_array:
            raise not_implemented("calls with an array as body")
        function = choose_function(catalogue, asked.profile.schema, name, payload.names)
        arguments: str | dict[str, str] = payload.text
        names = payload.names
    elif asked.is_reading:
        arguments = dict(query.arguments)
        names = tuple(arguments)
        if len(names) != len(query.arguments):
            raise not_implemented("an argument given twice")
        function = choose_function(catalogue, asked.profile.schema, name, names)
    elif asked.method == "OPTIONS":
        raise not_implemented("the method OPTIONS")
    else:
        raise invalid_rpc_method(asked.method)

    sets = function.returns in {Returns.ROW_SET, Returns.SCALAR_SET}
    if asked.preferences.affected_limit is not None and not sets:
        raise max_affected_needs_a_set()
    statement = call_statement(
        catalogue,
        function,
        query,
        arguments,
        names,
        limit=page.limit,
        offset=page.offset,
        singular=asked.singular,
        counts=asked.preferences.counts,
        read_only=asked.is_reading or not function.volatile,
    )
    outcome = await database.run(asked.context, statement, lambda outcome: _verify_change(asked, outcome))
    headers = asked.preferences.applied("count", "handling", "max-affected")
    if function.returns is Returns.VOID:
        return Response(None, 204, headers)
    headers |= content_headers(asked.profile, singular=asked.singular)
    return read_answer(outcome, page, headers, with_body=asked.method != "HEAD")


def _verify_singular(asked: Asked, outcome: Outcome) -> None:
    if asked.singular and outcome.row_count != 1:
        raise not_singular(outcome.row_count)


def _verify_change(asked: Asked, outcome: Outcome) -> None:
    _verify_singular(asked, outcome)
    limit = asked.preferences.affected_limit
    if limit is not None and outcome.row_count > limit:
        raise too_many_affected(outcome.row_count)
