"""What the real server checks in the database before it says "Subscribed to PostgreSQL"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

import asyncpg

from stack.edge.realtime.change_requests import ANY, ChangeRequest
from stack.edge.realtime.change_slot import DATABASE_AWAY, PUBLICATION, Connection
from stack.edge.realtime.conditions import IS_KEYWORDS
from stack.edge.realtime.filters import Filter
from stack.edge.realtime.relations import Column, Relation, describe_relation

_MAX_IN_VALUES = 100
# LIKE, and no escape: as there, `%` and `_` in a requested name are wild cards.
_PUBLISHED = """
    select format('%I.%I', schemaname, tablename)::regclass::oid::bigint as oid
    from pg_catalog.pg_publication_tables
    where pubname = $1 and schemaname like $2 escape '' and tablename like $3 escape ''
    order by 1
"""
_HAS_OPERATOR = """
    select exists (
        select from pg_catalog.pg_operator
        where oprname = $1 and oprleft = $2::regtype and oprresult = 'boolean'::regtype
    )
"""
_PATTERN_OPERATORS = {"like": "~~", "ilike": "~~", "match": "~", "imatch": "~*"}


class SubscriptionRefused(Exception):
    """The request cannot be subscribed to; the message is the real server's."""


class _Raised(Exception):
    """What the real server's trigger raises in PL/pgSQL."""


async def check_subscription(
    connection: Connection, requests: Sequence[ChangeRequest], role: str
) -> list[frozenset[int]]:
    """For each request the oids of the tables it concerns. One bad request refuses them all; the last is named.

    Raises SubscriptionRefused; what DATABASE_AWAY lists if there is no database to ask.
    """
    tables = [await _tables(connection, request, role) for request in reversed(requests)]
    return tables[::-1]


async def _tables(connection: Connection, request: ChangeRequest, role: str) -> frozenset[int]:
    wild = {ANY: "%"}
    try:
        rows = await connection.fetch(
            _PUBLISHED, PUBLICATION, wild.get(request.schema, request.schema), wild.get(request.table, request.table)
        )
        for row in rows:
            relation = await describe_relation(connection, row["oid"], [role])
            if relation is not None:
                await _check_columns(connection, relation, request, role)
    except DATABASE_AWAY:
        raise
    except asyncpg.PostgresError as error:
        _refuse(request, f"ERROR {error.sqlstate} ({_condition_name(error)}) {error.message}")
    except _Raised as error:
        _refuse(request, f"ERROR P0001 (raise_exception) {error}")
    if not rows:
        raise SubscriptionRefused(
            "Unable to subscribe to changes with given parameters. "
            f"Please check Realtime is enabled for the given connect parameters: [{request.as_logged()}]"
        )
    return frozenset(row["oid"] for row in rows)


def _refuse(request: ChangeRequest, reason: str) -> NoReturn:
    raise SubscriptionRefused(
        "Unable to subscribe to changes with given parameters. An exception happened so please check your connect "
        f"parameters: [{request.as_logged()}]. Exception: {reason}"
    )


async def _check_columns(connection: Connection, relation: Relation, request: ChangeRequest, role: str) -> None:
    for filter_ in request.filters:
        column = relation.column(filter_.column)
        if column is None or role not in column.readers:
            raise _Raised(f"invalid column for filter {filter_.column}")
        await _check_value(connection, filter_, column)
    for name in request.selected or ():
        selected = relation.column(name)
        if selected is None or role not in selected.readers:
            raise _Raised(f"invalid column for select {name}")


async def _check_value(connection: Connection, filter_: Filter, column: Column) -> None:
    operator, value, sql_type = filter_.operator, filter_.value, column.sql_type
    if operator == "in":
        count = await connection.fetchval(f"select jsonb_array_length(to_jsonb($1::text::{sql_type}[]))", value)
        if (count or 0) > _MAX_IN_VALUES:
            raise _Raised(f"too many values for `in` filter. Maximum {_MAX_IN_VALUES}")
    elif operator == "is":
        if value not in IS_KEYWORDS:
            raise _Raised("invalid value for is filter: must be null, true, false, or unknown")
        if value != "null" and column.type_name != "bool":
            raise _Raised(f"is {value} filter requires a boolean column, got {sql_type}")
    elif operator in _PATTERN_OPERATORS:
        if not await connection.fetchval(_HAS_OPERATOR, _PATTERN_OPERATORS[operator], sql_type):
            raise _Raised(f"operator {operator} requires a text-compatible column type, got {sql_type}")
        if operator in ("match", "imatch"):
            try:
                await connection.fetchval("select '' ~ $1::text", value)
            except asyncpg.InvalidRegularExpressionError as error:
                raise _Raised(f"invalid regular expression for {operator} filter: {error.message}") from error
    else:
        await connection.fetchval(f"select $1::text::{sql_type} is null", value)


def _condition_name(error: asyncpg.PostgresError) -> str:
    """PostgreSQL's name of the condition: `InvalidTextRepresentationError` is invalid_text_representation."""
    if isinstance(error, asyncpg.RaiseError):
        return "raise_exception"
    words = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", words).lower()
