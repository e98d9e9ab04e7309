"""Which subscriptions a row change is for: action, filters, and the rights of the role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from stack.edge.realtime.change_requests import ANY
from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.conditions import holding_filters
from stack.edge.realtime.filters import Filter
from stack.edge.realtime.parties import Subscription
from stack.edge.realtime.pgoutput import UNCHANGED, LoggedRelation, Row, RowChange, Unchanged
from stack.edge.realtime.relations import Relation
from stack.edge.realtime.visibility import visible_rows

_UNAUTHORIZED = "Error 401: Unauthorized"
_NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key"
Subscriptions = tuple[Subscription, ...]


def refusals(relation: Relation, roles: set[str]) -> dict[str, str]:
    """The roles to which no row of the table may be shown, and the error their events carry instead."""
    if not relation.primary_key:
        return dict.fromkeys(roles, _NO_PRIMARY_KEY)
    blind = {role for role in roles if any(role not in column.readers for column in relation.primary_key)}
    return dict.fromkeys(blind, _UNAUTHORIZED)


async def match(
    connection: Connection,
    relation: Relation,
    changes: Sequence[RowChange],
    subscriptions: Sequence[Subscription],
    refused: Mapping[str, str],
) -> list[Subscriptions]:
    """For each change of the table the subscriptions it is for.

    Only distinct values of the filtered columns are evaluated: a burst of thousands of rows has a handful of them.
    """
    filters = _distinct_filters(subscriptions)
    columns = sorted({filter_.column for filter_ in filters})
    positions = _positions(changes[0].relation, columns)
    keys = [(change.action, _filtered_values(change, positions)) for change in changes]
    distinct = list(dict.fromkeys(keys))
    holding = await holding_filters(connection, relation, filters, columns, [values for _, values in distinct])
    found = {
        (action, values): tuple(s for s in subscriptions if _is_for(s, action, holds, refused))
        for (action, values), holds in zip(distinct, holding, strict=True)
    }
    matches = [found[key] for key in keys]
    return await _visible(connection, relation, changes, matches, refused) if relation.row_security else matches


def _distinct_filters(subscriptions: Sequence[Subscription]) -> list[Filter]:
    filters = {filter_ for subscription in subscriptions for filter_ in subscription.request.filters}
    return sorted(filters, key=Filter.as_logged)


def _positions(logged: LoggedRelation, columns: Sequence[str]) -> list[int | None]:
    return [logged.columns.index(column) if column in logged.columns else None for column in columns]


def _filtered_values(change: RowChange, positions: Sequence[int | None]) -> Row:
    """What the log holds of the filtered columns; of a deleted row that is its replica identity only."""
    row = change.new or change.old or ()
    known = range(len(row)) if change.new is not None else change.relation.identity
    return tuple(UNCHANGED if position is None or position not in known else row[position] for position in positions)


def _is_for(subscription: Subscription, action: str, holding: frozenset[Filter], refused: Mapping[str, str]) -> bool:
    if subscription.request.action not in (ANY, action):
        return False
    # A role that may not read the key hears of every row that it may not know, whatever the filter.
    return (action != "DELETE" and subscription.role in refused) or holding.issuperset(subscription.request.filters)


async def _visible(
    connection: Connection,
    relation: Relation,
    changes: Sequence[RowChange],
    matches: Sequence[Subscriptions],
    refused: Mapping[str, str],
) -> list[Subscriptions]:
    """`matches` less those from whom row-level security keeps the row. Of a DELETE there is no row to check."""
    concerned: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, found in enumerate(matches):
        if changes[index].action != "DELETE":
            for viewer in {(s.role, s.claims) for s in found if s.role not in refused}:
                concerned[viewer].append(index)
    hidden: set[tuple[int, str, str]] = set()
    for (role, claims), indexes in concerned.items():
        keys = [_primary_key(relation, changes[index]) for index in indexes]
        seen = await visible_rows(connection, relation, keys, role, claims)
        hidden.update((index, role, claims) for index, is_seen in zip(indexes, seen, strict=True) if not is_seen)
    if not hidden:
        return list(matches)
    return [tuple(s for s in found if (index, s.role, s.claims) not in hidden) for index, found in enumerate(matches)]


def _primary_key(relation: Relation, change: RowChange) -> tuple[str | None, ...]:
    row = change.new or ()
    values = (row[change.relation.columns.index(column.name)] for column in relation.primary_key)
    return tuple(None if isinstance(value, Unchanged) else value for value in values)
