"""One seed: load and storm side by side, calm, and the ledger."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos import claims
from tests.chaos.bed import Bed
from tests.chaos.gathering import Run
from tests.chaos.ledger import Entry, Finding, Ledger, Told
from tests.chaos.load import Load
from tests.chaos.storm import Storm, Strike


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after the last fault a row may be open: longer is late. It is lost when for so long nothing was settled
    any more, however busy the machine is. The slowest that our own times foresee is a doubt's second wait behind a
    sweep.
    """

    late_after_seconds: float = 120.0
    give_up_after_seconds: float = 300.0


PATIENT = Patience()

STILL_SECONDS = 20.0
"""The longest that anything stands still or is slow but for a lease."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    seconds: float
    heeds_idempotency: bool
    written: Mapping[str, int]
    rows: int
    arrivals: int
    statuses: Mapping[str, int]
    strikes: Sequence[Strike]
    missed: int
    entries: Sequence[Entry]
    recoveries: Mapping[str, list[float]]
    """Seconds by fault, from the end of its cause to the arrival of a row written then."""
    settled_after: float

    @property
    def counts(self) -> Counter[Finding]:
        """How often each was found."""
        return Counter(entry.finding for entry in self.entries)

    @property
    def faults(self) -> list[Entry]:
        """All but what is allowed."""
        return [entry for entry in self.entries if entry.finding is not Finding.IN_DOUBT]


async def run_seed(
    bed: Bed, seed: int, *, seconds: float, rows_per_second: float, rules: int, patience: Patience = PATIENT
) -> Outcome:
    """Write and strike for so long, wait until all is settled, and hold rows against arrivals."""
    run = Run(bed.system, f"s{seed}")
    load = Load(bed.system, run.name, seed, rows_per_second=rows_per_second)
    storm = Storm(bed, load, seed)
    await run.begin_rules(rules)
    async with asyncio.TaskGroup() as both:
        both.create_task(load.write_for(seconds))
        both.create_task(storm.blow_for(seconds))
    await bed.calm()
    calm_at = time.monotonic()
    never_fired, fired_twice = await run.end_rules(within_seconds=patience.give_up_after_seconds)
    late = await _settle(run, calm_at, patience)
    settled_after = time.monotonic() - calm_at
    rows, others = await run.rows()
    arrivals = await run.arrivals(others)
    without_a_claim = await claims.broken(bed.stack.postgres.url)
    told = Told(load.retracted, never_fired, fired_twice, late, without_a_claim)
    ledger = Ledger(
        rows,
        arrivals,
        told,
        doubts_are_allowed=not bed.heeds_idempotency,
        in_flight_seconds=2 * bed.lease_seconds + STILL_SECONDS,
    )
    by_token = {row.token: row.id for row in rows}
    recoveries: dict[str, list[float]] = {}
    for strike in storm.strikes:
        arrived = ledger.first_arrival(by_token[strike.probe]) if strike.probe in by_token else None
        if arrived is not None:
            recoveries.setdefault(strike.fault, []).append(arrived - strike.ended)
    return Outcome(
        seed=seed,
        seconds=seconds,
        heeds_idempotency=bed.heeds_idempotency,
        written=dict(load.written),
        rows=len(rows),
        arrivals=len(arrivals),
        statuses=Counter(row.status for row in rows),
        strikes=storm.strikes,
        missed=storm.missed,
        entries=ledger.entries(),
        recoveries=recoveries,
        settled_after=settled_after,
    )


async def _settle(run: Run, calm_at: float, patience: Patience) -> frozenset[int]:
    """Until no row is open, or nothing is settled any more; returns those that took too long."""
    late: frozenset[int] | None = None
    fewest, fewest_at = None, calm_at
    while open_rows := await run.open_rows():
        now = time.monotonic()
        if late is None and now - calm_at > patience.late_after_seconds:
            late = frozenset(open_rows)
        if fewest is None or len(open_rows) < fewest:
            fewest, fewest_at = len(open_rows), now
        if now - fewest_at > patience.give_up_after_seconds:
            break
        await asyncio.sleep(0.5)
    return late or frozenset()
