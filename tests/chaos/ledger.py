"""What each person got, held against every row that was committed. Pure: rows and arrivals in, findings out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Finding(StrEnum):
    """What can be wrong with a row. All but `IN_DOUBT` are faults of ours."""

    LOST = "lost"
    TWICE = "twice"
    WRONG_PERSON = "wrong person"
    WRONG_ENTERPRISE = "wrong enterprise"
    WRONG_STATE = "wrong state"
    AFTER_RETRACTION = "after retraction"
    AFTER_EXPIRY = "after expiry"
    WITHOUT_A_CLAIM = "without a claim"
    """Taken while another's claim was good, or recorded by somebody who had none."""
    EARLY = "early"
    LATE = "late"
    IN_DOUBT = "in doubt"
    """Twice, where docs/novu.md says that it may be and the row says that it was (`doubtful_repeats`); or sent by the
    release before, which knew of no doubts, under the transaction id that it made.
    """


@dataclass(frozen=True, slots=True)
class Row:
    """A committed row as it stands at the end. Instants are the database's."""

    id: int
    enterprise_id: str
    workflow_key: str
    recipients: Sequence[str]
    status: str
    is_active: bool = True
    refuses: bool = False
    """Its template cannot be rendered."""
    token: str | None = None
    """Unique, and in the payload; None for a rule's rows, which all have the same payload."""
    delivery_key: str | None = None
    transaction_id: str | None = None
    scheduled_for: datetime | None = None
    deliver_before: datetime | None = None
    retracted_at: datetime | None = None
    cancellation: Mapping[str, Any] | None = None
    code: str | None = None
    doubtful_repeats: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event that Novu took, did not know yet and did not cancel: each recipient got it. `at` in Unix seconds."""

    at: float
    workflow: str
    recipients: Sequence[str]
    transaction_id: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the writer of the rows was told, by row, and when: what was answered must stay true."""

    retracted: Mapping[int, float] = field(default_factory=dict)
    """Rows that are RETRACTED from then on, in Unix seconds."""
    never_fired: Sequence[str] = ()
    """Instants of rules that should have a row and have none, by name."""
    fired_twice: Sequence[str] = ()
    late: frozenset[int] = frozenset()
    """Rows that were not settled in time."""
    without_a_claim: Mapping[int, str] = field(default_factory=dict)
    """What was seen of claims that did not hold, by row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding and what shows it."""

    finding: Finding
    row_id: int | None
    what: str


class Ledger:
    """Rows and arrivals of one run."""

    def __init__(
        self,
        rows: Iterable[Row],
        arrivals: Iterable[Arrival],
        told: Told,
        *,
        doubts_are_allowed: bool,
        in_flight_seconds: float,
    ) -> None:
        """`doubts_are_allowed`: this Novu does not heed the Idempotency-Key. `in_flight_seconds`: how long after its
        claim a row may still come to Novu. Deadlines count when it is claimed, and whoever has claimed it may stand
        still, or Novu be slow, before it is sent.
        """
        self._in_flight_seconds = in_flight_seconds
        self._rows = {row.id: row for row in rows}
        self._told = told
        self._doubts_are_allowed = doubts_are_allowed
        by_token = {row.token: row.id for row in self._rows.values() if row.token is not None}
        by_key = {row.delivery_key: row.id for row in self._rows.values() if row.delivery_key is not None}
        self._arrived: dict[int, list[Arrival]] = defaultdict(list)
        self._unknown: list[Arrival] = []
        for arrival in arrivals:
            row_id = by_token.get(arrival.token or "") or by_key.get(_key(arrival.transaction_id))
            if row_id is None:
                self._unknown.append(arrival)
            else:
                self._arrived[row_id].append(arrival)

    def first_arrival(self, row_id: int) -> float | None:
        """When the row first came to Novu."""
        return min((arrival.at for arrival in self._arrived[row_id]), default=None)

    def entries(self) -> list[Entry]:
        """Every finding; a row may have several."""
        found = [entry for row in self._rows.values() for entry in self._of_row(row)]
        found += [Entry(Finding.WRONG_PERSON, None, f"of no committed row: {arrival}") for arrival in self._unknown]
        found += [Entry(Finding.LOST, None, f"never fired: {name}") for name in self._told.never_fired]
        found += [Entry(Finding.TWICE, None, f"fired twice: {name}") for name in self._told.fired_twice]
        return found

    def _of_row(self, row: Row) -> Iterator[Entry]:
        arrived = self._arrived[row.id]
        for finding, what in [*self._people(row, arrived), *self._times(row, arrived), *self._state(row, arrived)]:
            yield Entry(finding, row.id, f"{what}: {row}, {arrived[:5]}")

    def _people(self, row: Row, arrived: Sequence[Arrival]) -> Iterator[tuple[Finding, str]]:
        got = Counter(person for arrival in arrived for person in arrival.recipients)
        wanted = set(row.recipients)
        if strangers := got.keys() - wanted:
            yield Finding.WRONG_PERSON, f"{sorted(strangers)[:3]} got it"
        if wrong := {arrival.workflow for arrival in arrived} - {row.workflow_key}:
            yield Finding.WRONG_ENTERPRISE, f"by the workflows {sorted(wrong)}"
        keyless = f"xnovu.{row.enterprise_id}.{row.id}"
        if twice := sorted(person for person, times in got.items() if times > 1):
            is_doubt = self._doubts_are_allowed and row.doubtful_repeats > 0
            is_doubt |= any(arrival.transaction_id == keyless for arrival in arrived)
            yield Finding.IN_DOUBT if is_doubt else Finding.TWICE, f"{twice[:3]} got it {got[twice[0]]} times"
        if row.status == "SENT" and (missed := wanted - got.keys()):
            yield Finding.LOST, f"SENT, and {len(missed)} got nothing, such as {sorted(missed)[:3]}"

    def _times(self, row: Row, arrived: Sequence[Arrival]) -> Iterator[tuple[Finding, str]]:
        if row.id in self._told.late:
            yield Finding.LATE, "not settled in time"
        instants = [arrival.at for arrival in arrived]
        if row.scheduled_for is not None and instants and min(instants) < row.scheduled_for.timestamp():
            yield Finding.EARLY, f"{row.scheduled_for.timestamp() - min(instants):.3f} s before it was due"
        if row.deliver_before is not None and instants:
            after = max(instants) - row.deliver_before.timestamp()
            if after > self._in_flight_seconds:
                yield Finding.AFTER_EXPIRY, f"{after:.1f} s after its deadline"
        retracted = self._told.retracted.get(row.id)
        if retracted is not None and instants and max(instants) - retracted > self._in_flight_seconds:
            yield Finding.AFTER_RETRACTION, f"{max(instants) - retracted:.1f} s after it was retracted"

    def _state(self, row: Row, arrived: Sequence[Arrival]) -> Iterator[tuple[Finding, str]]:
        if row.id in self._told.retracted and row.status != "RETRACTED":
            yield Finding.WRONG_STATE, "it was retracted, and is not"
        if row.id in self._told.without_a_claim:
            yield Finding.WITHOUT_A_CLAIM, self._told.without_a_claim[row.id]
        match row.status:
            case "SENT":
                if row.refuses or not row.is_active:
                    yield Finding.WRONG_STATE, "SENT, and could not be"
            case "FAILED":
                expired = row.code == "expired" and row.deliver_before is not None
                if not expired and not row.refuses:
                    yield Finding.WRONG_STATE, "FAILED without a reason"
                if arrived and row.transaction_id is None:
                    yield Finding.WRONG_STATE, "FAILED, and sent without saying so"
            case "RETRACTED":
                if row.transaction_id is None and arrived:
                    yield Finding.AFTER_RETRACTION, "sent, and does not say so"
                if row.transaction_id is not None and row.cancellation is None:
                    yield Finding.WRONG_STATE, "Novu was never asked to cancel it"
            case _ if row.is_active:
                yield Finding.LOST, f"still {row.status}"
            case _ if arrived:
                yield Finding.WRONG_STATE, f"{row.status} and no business of ours, and sent"


def _key(transaction_id: str) -> str:
    """The delivery key that a transaction id is made of: `xnovu.<key>`, `.<chunk>`, `.<try>`."""
    parts = transaction_id.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "xnovu" else ""
