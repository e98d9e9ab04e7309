"""What the runs showed, for people and for programs."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import quantiles
from typing import Any

from tests.chaos.ledger import Entry, Finding
from tests.chaos.run import Outcome

MOST_SHOWN = 20


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything: each seed, each fault with its recoveries, and each finding with what shows it."""
    return {
        "machine": f"{platform.platform()}, {os.cpu_count()} processors",
        "seeds": [
            {
                "seed": one.seed,
                "seconds": one.seconds,
                "idempotency": one.heeds_idempotency,
                "written": one.written,
                "rows": one.rows,
                "arrivals": one.arrivals,
                "statuses": one.statuses,
                "strikes": len(one.strikes),
                "missed": one.missed,
                "found": {finding.value: one.counts[finding] for finding in Finding},
                "settled_after_seconds": round(one.settled_after, 1),
                "findings": [
                    {"finding": entry.finding.value, "row": entry.row_id, "what": entry.what} for entry in _worst(one)
                ],
            }
            for one in outcomes
        ],
        "faults": {name: {"struck": struck, **_recovery(seconds)} for name, struck, seconds in _by_fault(outcomes)},
    }


def as_text(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Two tables: seeds, and faults."""
    yield "| seed | idempotency | rows | arrivals | faults | " + " | ".join(Finding) + " | settled after |"
    yield "|" + "---|" * (6 + len(Finding))
    for one in outcomes:
        found = " | ".join(str(one.counts[finding]) for finding in Finding)
        yield (
            f"| {one.seed} | {'on' if one.heeds_idempotency else 'off'} | {one.rows} | {one.arrivals} "
            f"| {len(one.strikes)} | {found} | {one.settled_after:.0f} s |"
        )
    yield ""
    yield "| fault | struck | recovery p50 | p99 |"
    yield "|---|---|---|---|"
    for name, struck, seconds in _by_fault(outcomes):
        figures = _recovery(seconds)
        shown = [f"{figure:.1f} s" if figure is not None else "" for figure in figures.values()]
        yield f"| {name} | {struck} | {' | '.join(shown)} |"
    for one in outcomes:
        for entry in _worst(one):
            yield f"seed {one.seed}: {entry.finding}: {entry.what}"


def _worst(one: Outcome) -> Sequence[Entry]:
    """What is late comes last: a busy machine has much of it."""
    return sorted(one.faults, key=lambda entry: entry.finding is Finding.LATE)[:MOST_SHOWN]


def _by_fault(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, int, list[float]]]:
    struck = Counter(strike.fault for one in outcomes for strike in one.strikes)
    for name in sorted(struck):
        yield name, struck[name], [each for one in outcomes for each in one.recoveries.get(name, [])]
    yield "all", struck.total(), [each for one in outcomes for many in one.recoveries.values() for each in many]


def _recovery(seconds: Sequence[float]) -> dict[str, float | None]:
    """Of few samples p99 is the longest."""
    if not seconds:
        return {"recovery_p50_seconds": None, "recovery_p99_seconds": None}
    cuts = quantiles([*seconds, *seconds], n=100, method="inclusive")
    return {"recovery_p50_seconds": round(cuts[49], 2), "recovery_p99_seconds": round(cuts[98], 2)}
