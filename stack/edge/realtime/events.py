"""Row changes of one table become the events of the channels subscribed to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stack.edge.realtime.change_slot import Connection
from stack.edge.realtime.frames import compact
from stack.edge.realtime.matching import Subscriptions, match, refusals
from stack.edge.realtime.parties import Event, Subscription
from stack.edge.realtime.pgoutput import RowChange, Unchanged
from stack.edge.realtime.records import RecordRequest, build_records, exceeds
from stack.edge.realtime.relations import Relation, describe_relation

_TOO_LARGE = "Error 413: Payload Too Large"


@dataclass(frozen=True)
class _View:
    """How a row looks to a role that selected columns (None: all)."""

    role: str
    selected: tuple[str, ...] | None


@dataclass(frozen=True)
class _Listener:
    """A channel and its subscriptions that share a view: their ids as JSON, last first, and their number."""

    subscription: Subscription
    ids: str
    count: int


_Audience = dict[_View, list[_Listener]]


async def events_of(
    connection: Connection,
    changes: Sequence[RowChange],
    subscriptions: Sequence[Subscription],
    max_record_bytes: int,
) -> list[list[Event]]:
    """For each of `changes`, rows of one table, the events for `subscriptions` to it.

    Raises asyncpg.PostgresError when one subscription cannot be evaluated: as in the real server, all events of the
    poll are then lost.
    """
    roles = {subscription.role for subscription in subscriptions}
    relation = await describe_relation(connection, changes[0].relation.oid, sorted(roles))
    if relation is None:
        return [[] for _ in changes]
    refused = refusals(relation, roles)
    matches = await match(connection, relation, changes, subscriptions, refused)
    audiences: dict[Subscriptions, _Audience] = {found: _audience(found) for found in set(matches)}
    shown = [
        (index, view)
        for index, found in enumerate(matches)
        for view in audiences[found]
        if view.role not in refused or changes[index].action == "DELETE"
    ]
    data = await _shown_data(connection, relation, changes, shown, max_record_bytes)
    return [
        [
            Event(
                listener.subscription.channel,
                relation.table,
                f'{{"data":{text},"ids":{listener.ids}}}',
                listener.count,
            )
            for view, listeners in audiences[found].items()
            for text in [data.get((index, view)) or _refused_data(relation, changes[index], refused[view.role])]
            for listener in listeners
        ]
        for index, found in enumerate(matches)
    ]


def _audience(found: Subscriptions) -> _Audience:
    grouped: dict[_View, dict[int, list[Subscription]]] = {}
    for subscription in found:
        selected = subscription.request.selected
        view = _View(subscription.role, None if selected is None else tuple(sorted(selected)))
        grouped.setdefault(view, {}).setdefault(id(subscription.channel), []).append(subscription)
    return {
        view: [_Listener(group[0], compact([s.id for s in reversed(group)]), len(group)) for group in groups.values()]
        for view, groups in grouped.items()
    }


async def _shown_data(
    connection: Connection,
    relation: Relation,
    changes: Sequence[RowChange],
    shown: Sequence[tuple[int, _View]],
    max_record_bytes: int,
) -> Mapping[tuple[int, _View], str]:
    """The `data` object of each change as each view shows it."""
    columns = {view: _visible_columns(relation, view) for _, view in shown}
    columns_json = {view: _columns_json(relation, names) for view, names in columns.items()}
    too_large = {index for index, _ in shown if exceeds(changes[index], max_record_bytes)}
    requests: list[RecordRequest] = []
    for index, view in shown:
        requests += _record_requests(relation, changes[index], columns[view], index in too_large)
    records = iter(await build_records(connection, relation, requests))
    data: dict[tuple[int, _View], str] = {}
    for index, view in shown:
        change = changes[index]
        record = "" if change.new is None else f'"record":{next(records)},'
        old_record = "" if change.old is None else f',"old_record":{next(records)}'
        errors = compact([_TOO_LARGE] if index in too_large else None)
        data[(index, view)] = (
            f'{{"table":{compact(relation.table)},"type":"{change.action}",{record}"columns":{columns_json[view]},'
            f'"errors":{errors},"schema":{compact(relation.schema)},'
            f'"commit_timestamp":"{change.committed_at}"{old_record}}}'
        )
    return data


def _refused_data(relation: Relation, change: RowChange, reason: str) -> str:
    return (
        f'{{"table":{compact(relation.table)},"type":"{change.action}","record":{{}},"columns":[],'
        f'"errors":{compact([reason])},"schema":{compact(relation.schema)},"commit_timestamp":null}}'
    )


def _visible_columns(relation: Relation, view: _View) -> frozenset[str]:
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
    logged, new, old = change.relation, change.new, change.old
    requests = []
    if new is not None:
        if old is not None:
            # With REPLICA IDENTITY FULL the old row holds what the new one leaves out.
            new = tuple(
                old[position] if isinstance(value, Unchanged) and position in logged.identity else value
                for position, value in enumerate(new)
            )
        requests.append(RecordRequest(logged.columns, new, wanted, too_large))
    if old is not None:
        if change.action == "DELETE" and relation.row_security:
            # Nobody can be checked against a row that is gone: only its key is told.
            wanted = wanted & {column.name for column in relation.primary_key}
        names = tuple(logged.columns[position] for position in logged.identity)
        requests.append(RecordRequest(names, tuple(old[position] for position in logged.identity), wanted, too_large))
    return requests
