"""The metrics of the scaler (docs/metrics.md)."""

import time
from dataclasses import dataclass

from functions.scaling.model import Decision, HoldReason, Observation, Verdict
from shared.telemetry.metric import Kind, Metric, counter, observe_value

INSTANCES = Metric(
    "xnovu.scaler.instances", Kind.GAUGE, "{instance}", "Workers that there are to be by the latest decisions."
)
CURRENT = Metric(
    "xnovu.scaler.current",
    Kind.GAUGE,
    "{instance}",
    "Workers that there were to be when the latest decisions were made.",
)
TICKS = Metric(
    "xnovu.scaler.ticks",
    Kind.COUNTER,
    "{tick}",
    "Decisions: `up`, `down`, `steady`, or `hold` where the figures could not be read or believed.",
    ("xnovu.verdict",),
)
HOLD = Metric(
    "xnovu.scaler.hold",
    Kind.COUNTER,
    "{tick}",
    "Decisions to hold, by reason: `stale` figures, `no_pollers` although there are to be workers, `pool_changed`"
    " meanwhile by somebody else, `deadline` passed, or no answer of `temporal`, `cloud_run`, `database`.",
    ("xnovu.reason",),
)

METRICS = tuple(value for value in vars().values() if isinstance(value, Metric))

SHOWN_SECONDS = 150.0
"""For so long a decision is shown; an instance of the function that is not called any more repeats none for ever."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """The latest decision of this process that had figures."""

    decided_at: float
    instances: int
    current: int


_shown: dict[str, _Shown] = {}
"""By pool."""

_ticks = counter(TICKS)
_hold = counter(HOLD)


def note(
    pool: str, verdict: Verdict, reason: HoldReason | None, decision: Decision | None, seen: Observation | None
) -> None:
    """Count the tick, and show what it decided if it came to that."""
    _ticks.add(1, {"xnovu.verdict": verdict})
    if reason is not None:
        _hold.add(1, {"xnovu.reason": reason})
    if decision is not None and seen is not None:
        _shown[pool] = _Shown(time.monotonic(), decision.instances, seen.current)


def _latest() -> list[_Shown]:
    return [shown for shown in _shown.values() if time.monotonic() - shown.decided_at <= SHOWN_SECONDS]


def _read_instances() -> float | None:
    shown = _latest()
    return sum(each.instances for each in shown) if shown else None


def _read_current() -> float | None:
    shown = _latest()
    return sum(each.current for each in shown) if shown else None


observe_value(INSTANCES, _read_instances)
observe_value(CURRENT, _read_current)
