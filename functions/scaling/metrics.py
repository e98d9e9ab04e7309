"""The metrics of the scaler (docs/metrics.md)."""

import time
from dataclasses import dataclass

from functions.scaling.model import Decision, HoldReason, Observation, Verdict
from shared.telemetry.metric import Kind, Metric, counter, observe_value

INSTANCES = Metric(
    "xnovu.scaler.instances", Kind.GAUGE, "{instance}", "Workers that there are to be by the latest decision."
)
CURRENT = Metric(
    "xnovu.scaler.current", Kind.GAUGE, "{instance}", "Workers that there were to be when the latest decision was made."
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


_shown: _Shown | None = None

_ticks = counter(TICKS)
_hold = counter(HOLD)


def note(verdict: Verdict, reason: HoldReason | None, decision: Decision | None, seen: Observation | None) -> None:
    """Count the tick, and show what it decided if it came to that."""
    global _shown
    _ticks.add(1, {"xnovu.verdict": verdict})
    if reason is not None:
        _hold.add(1, {"xnovu.reason": reason})
    if decision is not None and seen is not None:
        _shown = _Shown(time.monotonic(), decision.instances, seen.current)


def _latest() -> _Shown | None:
    return _shown if _shown is not None and time.monotonic() - _shown.decided_at <= SHOWN_SECONDS else None


def _read_instances() -> float | None:
    shown = _latest()
    return None if shown is None else shown.instances


def _read_current() -> float | None:
    shown = _latest()
    return None if shown is None else shown.current


observe_value(INSTANCES, _read_instances)
observe_value(CURRENT, _read_current)
