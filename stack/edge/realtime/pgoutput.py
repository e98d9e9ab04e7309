"""PostgreSQL's own logical decoding output (plugin `pgoutput`, protocol version 1), from bytes to row changes.

The layouts are those of the manual's "Logical Replication Message Formats". The libraries that know them are tied to
psycopg2's replication connection, which polling a slot by SQL does not use; what polling needs is this little.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final


class Unchanged:
    """Stands for the value of a TOASTed column that an UPDATE left as it was: the log does not hold it."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()
Row = tuple[str | Unchanged | None, ...]

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BEGIN = struct.Struct(">xQqI")
_RELATION = struct.Struct(">xI")
_LENGTH = struct.Struct(">I")
_COUNT = struct.Struct(">H")
_COLUMN_TYPE = struct.Struct(">Ii")
_ACTIONS: Final = {ord("I"): "INSERT", ord("U"): "UPDATE", ord("D"): "DELETE"}
_KEY, _OLD, _NEW = b"KON"
_NULL, _UNCHANGED, _TEXT = b"nut"
_PART_OF_KEY = 1
_COMMIT = ord("C")


class DecodingRefused(ValueError):
    """The bytes are not what protocol version 1 says they are."""


@dataclass(frozen=True)
class LoggedRelation:
    """A table as the log describes it. `identity` holds the positions of its replica identity's columns."""

    oid: int
    schema: str
    table: str
    columns: tuple[str, ...]
    identity: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RowChange:
    """One changed row. `new` is missing for DELETE; `old` holds what the replica identity gives, else nulls.

    `committed_at` belongs to the whole transaction and is text as the events carry it.
    """

    relation: LoggedRelation
    action: str
    new: Row | None
    old: Row | None
    committed_at: str


def decode(
    messages: Iterable[bytes], wanted: frozenset[tuple[int, str]], relations: dict[int, LoggedRelation]
) -> Iterator[RowChange]:
    """The changes in commit order whose (relation oid, action) is wanted. TRUNCATE is not among the actions.

    Unwanted rows are skipped unread: under load most changes concern nobody. Tables that the messages describe are
    added to `relations`: what one read of a slot gave may be decoded bit by bit, and a table is described once.
    Raises DecodingRefused for a message this protocol version does not have.
    """
    committed_at = ""
    for message in messages:
        kind = message[0]
        action = _ACTIONS.get(kind)
        if action is not None:
            (oid,) = _RELATION.unpack_from(message)
            if (oid, action) in wanted:
                yield _row_change(message, action, relations[oid], committed_at)
        elif kind == ord("B"):
            committed_at = _instant(_BEGIN.unpack_from(message)[1])
        elif kind == ord("R"):
            relation = _relation(message)
            relations[relation.oid] = relation
        elif kind not in b"COYTM":
            raise DecodingRefused(f"pgoutput message of unknown kind {message[:1]!r}")


def change_count(messages: Iterable[bytes]) -> int:
    """How many of the messages are changed rows, of whatever table."""
    return sum(message[0] in _ACTIONS for message in messages)


def take_transactions(messages: Sequence[bytes], most_changes: int) -> int:
    """How many of the messages make up the first whole transactions that reach so many changes, or all there are."""
    changes = 0
    for position, message in enumerate(messages):
        changes += message[0] in _ACTIONS
        if message[0] == _COMMIT and changes >= most_changes:
            return position + 1
    return len(messages)


def _instant(microseconds_since_2000: int) -> str:
    instant = _POSTGRES_EPOCH + timedelta(microseconds=microseconds_since_2000)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"


def _relation(message: bytes) -> LoggedRelation:
    (oid,) = _RELATION.unpack_from(message)
    schema, offset = _text(message, _RELATION.size)
    table, offset = _text(message, offset)
    offset += 1  # the kind of replica identity; the columns' flags say the same
    (count,) = _COUNT.unpack_from(message, offset)
    offset += _COUNT.size
    columns, identity = [], []
    for position in range(count):
        if message[offset] & _PART_OF_KEY:
            identity.append(position)
        name, offset = _text(message, offset + 1)
        offset += _COLUMN_TYPE.size
        columns.append(name)
    return LoggedRelation(oid, schema, table, tuple(columns), tuple(identity))


def _text(message: bytes, offset: int) -> tuple[str, int]:
    end = message.index(0, offset)
    return message[offset:end].decode(), end + 1


def _row_change(message: bytes, action: str, relation: LoggedRelation, committed_at: str) -> RowChange:
    offset, old, new = _RELATION.size, None, None
    if message[offset] in (_KEY, _OLD):
        old, offset = _row(message, offset + 1)
    if action != "DELETE":
        if message[offset] != _NEW:
            raise DecodingRefused(f"pgoutput {action} without a new row")
        new, _ = _row(message, offset + 1)
        if action == "UPDATE" and old is None:
            # The key did not change, so the log leaves it out; it is in the new row.
            old = tuple(value if position in relation.identity else None for position, value in enumerate(new))
    return RowChange(relation, action, new, old, committed_at)


def _row(message: bytes, offset: int) -> tuple[Row, int]:
    (count,) = _COUNT.unpack_from(message, offset)
    offset += _COUNT.size
    values: list[str | Unchanged | None] = []
    for _ in range(count):
        kind = message[offset]
        offset += 1
        if kind == _TEXT:
            start = offset + _LENGTH.size
            offset = start + _LENGTH.unpack_from(message, offset)[0]
            values.append(message[start:offset].decode())
        elif kind == _NULL:
            values.append(None)
        elif kind == _UNCHANGED:
            values.append(UNCHANGED)
        else:
            raise DecodingRefused(f"pgoutput column of unknown kind {kind}")
    return tuple(values), offset
