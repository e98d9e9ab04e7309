"""One entry of a join's `config.postgres_changes`: which changes of which tables are asked for."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stack.edge.realtime.elixir_terms import inspect
from stack.edge.realtime.filters import Filter, FilterRefused, parse_filters

ANY = "*"
_ACTIONS = frozenset({"INSERT", "UPDATE", "DELETE"})
# The real server numbers an entry by Erlang's phash2, a hash of 27 bits; clients may only compare and echo it.
_ID_BITS = 27


class ChangeRequestRefused(ValueError):
    """The entry asks for nothing that can be given; the message is the real server's."""


@dataclass(frozen=True)
class ChangeRequest:
    """Changes of the kind `action` (`*` for all) to tables whose names fit. `selected` None means every column."""

    action: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    selected: tuple[str, ...] | None

    def as_logged(self) -> str:
        """The request as the real server prints it in error texts."""
        filters = inspect([filter_.as_logged() for filter_ in self.filters])
        selected = inspect(None if self.selected is None else list(self.selected))
        return (
            f"event: {self.action}, schema: {self.schema}, table: {self.table}, filters: {filters}, select: {selected}"
        )


def entry_id(entry: Mapping[str, Any]) -> int:
    """A number that is the same for the same entry, in every join and every process."""
    canonical = json.dumps(entry, sort_keys=True, ensure_ascii=False)
    return zlib.crc32(canonical.encode()) & ((1 << _ID_BITS) - 1)


def parse_change_request(entry: Mapping[str, Any]) -> ChangeRequest:
    """The request an entry makes, validated as little as the real server does. Raises ChangeRequestRefused."""
    selected = _selected(entry.get("select"))
    schema, table, filter_text = (entry.get(key) for key in ("schema", "table", "filter"))
    unnamed = "filter" not in entry
    if isinstance(schema, str) and isinstance(table, str) and (unnamed or isinstance(filter_text, str)):
        filters = _filters(filter_text or "")
    elif unnamed and isinstance(schema, str) and "table" not in entry:
        table, filters = ANY, ()
    elif unnamed and isinstance(table, str) and "schema" not in entry:
        schema, filters = "public", ()
    else:
        raise ChangeRequestRefused(
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: "
            f"{inspect(entry)}"
        )
    if selected is not None and ANY in (schema, table):
        raise ChangeRequestRefused(
            "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name."
        )
    return ChangeRequest(_action(entry.get("event")), schema, table, filters, selected)


def _action(event: object) -> str:
    action = event.upper() if isinstance(event, str) else ANY
    return action if action in _ACTIONS else ANY


def _selected(select: object) -> tuple[str, ...] | None:
    if isinstance(select, str):
        raise ChangeRequestRefused(
            'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]'
        )
    if not isinstance(select, list):
        return None
    return tuple(name for name in select if isinstance(name, str)) or None


def _filters(text: str) -> tuple[Filter, ...]:
    try:
        return parse_filters(text)
    except FilterRefused as error:
        raise ChangeRequestRefused(f"Error parsing `filter` params: {error}") from error
