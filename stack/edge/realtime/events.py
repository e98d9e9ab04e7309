"""Row changes of one table become the events of the channels subscribed to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stack.edge.realtime.change_requests import ANY
from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.conditions import holding_filters
from stack.edge.realtime.frames import compact
from stack.edge.realtime.hub import Event, Subscription
from stack.edge.realtime.pgoutput import UNCHANGED, Row, RowChange, Unchanged
from stack.edge.realtime.records import RecordRequest, build_records, exceeds
from stack.edge.realtime.relations import Relation, describe_relation
from stack.edge.realtime.visibility import visible_rows

_UNAUTHORIZED = "Error 401: Unauthorized"
_NO_PRIMARY_KEY = "Error 400: Bad Request, no primary key"
_TOO_LARGE = "Error 413: Payload Too Large"
NumberedChange = tuple[int, RowChange]
NumberedEvent = tuple[int, Event]
Subscriptions = tuple[Subscription, ...]


@dataclass(frozen=True)
class View:
    """How a row looks to a role that selected columns (None: all)."""

    role: str
    selected: tuple[str, ...] | None


async def events_of(
    connection: Connection,
    changes: Sequence[NumberedChange],
    subscriptions: Sequence[Subscription],
    max_record_bytes: int,
) -> list[NumberedEvent]:
    """The events of `changes`, numbered rows of one table, for `subscriptions` to it; in any order, with the numbers.

    Raises asyncpg.PostgresError when one subscription cannot be evaluated: as in the real server, all events of the
    poll are then lost.
    """
    table = changes[0][1].relation.oid
    relation = await describe_relation(connection, table, sorted({subscription.role for subscription in subscriptions}))
    if relation is None:
        return []
    refused = {role: reason for role in {s.role for s in subscriptions} if (reason := _refusal(relation, role))}
    matches = await _matches(connection, relation, changes, subscriptions, refused)
    if relation.row_security:
        matches = await _visible_matches(connection, relation, changes, matches, refused)
    return await _events(connection, relation, changes, matches, refused, max_record_bytes)


def _refusal(relation: Relation, role: str) -> str | None:
    if not relation.primary_key:
        return _NO_PRIMARY_KEY
    if any(role not in column.readers for column in relation.primary_key):
        return _UNAUTHORIZED
    return None


async def _matches(
    connection: Connection,
    relation: Relation,
    changes: Sequence[NumberedChange],
    subscriptions: Sequence[Subscription],
    refused: dict[str, str],
) -> list[Subscriptions]:
    """For each change the subscriptions whose action and filters fit it.

    Only distinct values of the filtered columns are evaluated: a burst of thousands of rows has a handful of them.
    """
    filters = sorted(
        {filter_ for subscription in subscriptions for filter_ in subscription.request.filters},
        key=lambda filter_: filter_.as_logged(),
    )
    columns = sorted({filter_.column for filter_ in filters})
    logged = changes[0][1].relation
    positions = [logged.columns.index(column) if column in logged.columns else None for column in columns]
    rows = [(change.action, _filtered_values(change, positions)) for _, change in changes]
    distinct = list(dict.fromkeys(rows))
    holding = await holding_filters(connection, relation, filters, columns, [values for _, values in distinct])
    found = {
        key: tuple(s for s in subscriptions if s.request.action in (ANY, key[0]) and (
            (s.role in refused and key[0] != "DELETE") or holds.issuperset(s.request.filters)))
        for key, holds in zip(distinct, holding, strict=True)
    }  # fmt: skip
    return [found[key] for key in rows]


def _filtered_values(change: RowChange, positions: Sequence[int | None]) -> Row:
    """What the log holds of the filtered columns; of a deleted row that is its replica identity only."""
    row = change.new or change.old or ()
    known = range(len(row)) if change.new is not None else change.relation.identity
    return tuple(UNCHANGED if position is None or position not in known else row[position] for position in positions)


async def _visible_matches(
    connection: Connection,
    relation: Relation,
    changes: Sequence[NumberedChange],
    matches: Sequence[Subscriptions],
    refused: dict[str, str],
) -> list[Subscriptions]:
    """`matches` less those from whom row-level security keeps the row. Of a DELETE there is no row to check."""
    concerned: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, found in enumerate(matches):
        if changes[index][1].action != "DELETE":
            for viewer in {(s.role, s.claims) for s in found if s.role not in refused}:
                concerned[viewer].append(index)
    hidden: set[tuple[int, str, str]] = set()
    for (role, claims), indexes in concerned.items():
        keys = [_primary_key(relation, changes[index][1]) for index in indexes]
        visible = await visible_rows(connection, relation, keys, role, claims)
        hidden.update((index, role, claims) for index, seen in zip(indexes, visible, strict=True) if not seen)
    if not hidden:
        return list(matches)
    return [tuple(s for s in found if (index, s.role, s.claims) not in hidden) for index, found in enumerate(matches)]


def _primary_key(relation: Relation, change: RowChange) -> tuple[str | None, ...]:
    row = change.new or ()
    values = (row[change.relation.columns.index(column.name)] for column in relation.primary_key)
    return tuple(None if isinstance(value, Unchanged) else value for value in values)


async def _events(
    connection: Connection,
    relation: Relation,
    changes: Sequence[NumberedChange],
    matches: Sequence[Subscriptions],
    refused: dict[str, str],
    max_record_bytes: int,
) -> list[NumberedEvent]:
    audiences: dict[Subscriptions, dict[View, list[tuple[Subscription, str, int]]]] = {}
    for found in matches:
        if found not in audiences:
            audiences[found] = _audience(found)
    views = {view for audience in audiences.values() for view in audience}
    visible_columns = {view: _visible_columns(relation, view) for view in views}
    columns_json = {view: _columns_json(relation, names) for view, names in visible_columns.items()}

    shown = [
        (index, view)
        for index, found in enumerate(matches)
        for view in audiences[found]
        if not (view.role in refused and changes[index][1].action != "DELETE")
    ]
    too_large = {index: exceeds(changes[index][1], max_record_bytes) for index, _ in shown}
    requests: list[RecordRequest] = []
    for index, view in shown:
        requests.extend(_record_requests(relation, changes[index][1], visible_columns[view], too_large[index]))
    records = iter(await build_records(connection, relation, requests))

    data: dict[tuple[int, View], str] = {}
    for index, view in shown:
        change = changes[index][1]
        new = next(records) if change.new is not None else None
        old = next(records) if change.old is not None else None
        errors = [_TOO_LARGE] if too_large[index] else None
        data[(index, view)] = _data(relation, change, new, old, columns_json[view], errors)
    events: list[NumberedEvent] = []
    for index, found in enumerate(matches):
        number, change = changes[index]
        for view, listeners in audiences[found].items():
            text = data.get((index, view)) or _refused_data(relation, change, refused[view.role])
            for subscription, ids, count in listeners:
                events.append((number, Event(subscription.channel, f'{{"data":{text},"ids":{ids}}}', count)))
    return events


def _audience(found: Subscriptions) -> dict[View, list[tuple[Subscription, str, int]]]:
    """Who sees what: for each view and channel one of its subscriptions, all their ids (last first), their number."""
    grouped: dict[View, dict[int, list[Subscription]]] = {}
    for subscription in found:
        selected = subscription.request.selected
        view = View(subscription.role, None if selected is None else tuple(sorted(selected)))
        grouped.setdefault(view, {}).setdefault(id(subscription.channel), []).append(subscription)
    return {
        view: [(group[0], compact([s.id for s in reversed(group)]), len(group)) for group in by_channel.values()]
        for view, by_channel in grouped.items()
    }


def _visible_columns(relation: Relation, view: View) -> frozenset[str]:
    return frozenset(
        column.name
        for column in relation.columns
        if view.role in column.readers
        and (view.selected is None or column.name in view.selected or column.in_primary_key)
    )


def _columns_json(relation: Relation, names: frozenset[str]) -> str:
    described = (
        f'{{"name": {compact(column.name)}, "type": {compact(column.type_name)}}}'
        for column in relation.columns
        if column.name in names
    )
    return f"[{', '.join(described)}]"


def _record_requests(
    relation: Relation, change: RowChange, wanted: frozenset[str], too_large: bool
) -> list[RecordRequest]:
    """The new row, then the old one, as far as the change has them."""
    logged = change.relation
    requests = []
    if change.new is not None:
        new = change.new
        if change.old is not None:
            # With REPLICA IDENTITY FULL the old row holds what the new one leaves out.
            new = tuple(
                change.old[position] if isinstance(value, Unchanged) and position in logged.identity else value
                for position, value in enumerate(new)
            )
        requests.append(RecordRequest(logged.columns, new, wanted, too_large))
    if change.old is not None:
        if change.action == "DELETE" and relation.row_security:
            # Nobody can be checked against a row that is gone: only its key is told.
            wanted = wanted & {column.name for column in relation.primary_key}
        names = tuple(logged.columns[position] for position in logged.identity)
        values = tuple(change.old[position] for position in logged.identity)
        requests.append(RecordRequest(names, values, wanted, too_large))
    return requests


def _data(
    relation: Relation, change: RowChange, new: str | None, old: str | None, columns: str, errors: list[str] | None
) -> str:
    record = "" if new is None else f'"record":{new},'
    old_record = "" if old is None else f',"old_record":{old}'
    return (
        f'{{"table":{compact(relation.table)},"type":"{change.action}",{record}"columns":{columns},'
        f'"errors":{compact(errors)},"schema":{compact(relation.schema)},'
        f'"commit_timestamp":"{change.committed_at}"{old_record}}}'
    )


def _refused_data(relation: Relation, change: RowChange, reason: str) -> str:
    return (
        f'{{"table":{compact(relation.table)},"type":"{change.action}","record":{{}},"columns":[],'
        f'"errors":{compact([reason])},"schema":{compact(relation.schema)},"commit_timestamp":null}}'
    )
