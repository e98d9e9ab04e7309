"""What was expected of each kind of row, and what the table and the Novu sink say happened."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from cli.demo.kinds import KINDS, Kind, Ledger, SentRow
from shared.notification.transaction_id import transaction_ids

FINAL = ("SENT", "FAILED", "RETRACTED")


@dataclass(frozen=True, slots=True)
class SinkCall:
    """One event that reached the sink: the row it belongs to and when, in Unix seconds."""

    transaction_id: str
    received_at: float
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class RowState:
    """Where a row stands in the table."""

    status: str
    error_code: str | None
    transaction_base: str = field(default="", compare=False)
    """The transaction id of its first chunk."""


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """One line of the table. Latencies run from just before the row's transaction to its first event's arrival."""

    kind: Kind
    rows: int
    as_expected: int
    calls_expected: int
    calls_seen: int
    latencies_ms: tuple[float, ...]

    @property
    def holds(self) -> bool:
        """Whether every row ended as it should and Novu was called exactly as often as it should be."""
        return self.rows == self.as_expected and self.calls_expected == self.calls_seen


def expected_transaction_ids(row: SentRow, states: Mapping[int, RowState]) -> list[str]:
    """Those of the row's recipient chunks."""
    state = states.get(row.notification_id)
    return [] if state is None else transaction_ids(state.transaction_base, row.kind.calls_per_row)


def judge(ledger: Ledger, states: Mapping[int, RowState], calls: Sequence[SinkCall]) -> list[KindVerdict]:
    """A verdict for each kind the ledger holds."""
    arrivals: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        arrivals[call.transaction_id].append(call.received_at)
    return [_judge_kind(kind, [row for row in ledger.rows if row.kind is kind], states, arrivals) for kind in KINDS]


def unexpected_calls(ledger: Ledger, states: Mapping[int, RowState], calls: Sequence[SinkCall]) -> list[str]:
    """Transaction ids that no row accounts for, and those that arrived more than once."""
    expected = {transaction_id for row in ledger.rows for transaction_id in expected_transaction_ids(row, states)}
    seen = Counter(call.transaction_id for call in calls)
    return sorted(key for key, count in seen.items() if key not in expected or count > 1)


def _judge_kind(
    kind: Kind, rows: Sequence[SentRow], states: Mapping[int, RowState], arrivals: Mapping[str, list[float]]
) -> KindVerdict:
    ids = [(row, expected_transaction_ids(row, states)) for row in rows]
    return KindVerdict(
        kind=kind,
        rows=len(rows),
        as_expected=sum(states.get(row.notification_id) == RowState(kind.status, kind.error_code) for row in rows),
        calls_expected=len(rows) * kind.calls_per_row,
        calls_seen=sum(len(arrivals.get(key, ())) for _, keys in ids for key in keys),
        latencies_ms=tuple(
            (min(arrivals[keys[0]]) - row.due_at) * 1000 for row, keys in ids if keys and arrivals.get(keys[0])
        ),
    )


async def read_states(connection: asyncpg.Connection, ledger: Ledger) -> dict[int, RowState]:
    """Where every row of the ledger stands now."""
    rows = await connection.fetch(
        """
        select id, notification_status::text as status, error_details ->> 'code' as code,
               coalesce(transaction_base, 'xnovu.' || delivery_key) as transaction_base
          from notify.ent_notification
         where id = any($1)
        """,
        [row.notification_id for row in ledger.rows],
    )
    return {row["id"]: RowState(row["status"], row["code"], row["transaction_base"]) for row in rows}


def count_settled(ledger: Ledger, states: Mapping[int, RowState]) -> int:
    """How many rows have reached a final status, or should not reach one."""
    return sum(
        row.kind.status not in FINAL or (row.notification_id in states and states[row.notification_id].status in FINAL)
        for row in ledger.rows
    )
