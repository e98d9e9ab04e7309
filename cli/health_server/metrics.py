"""The metrics of the daemon's health (docs/metrics.md): what its page tells, for who is woken by figures.

They are of the latest look, and made where it is made: metrics are collected from another thread.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import product

from opentelemetry.metrics import Observation

from shared.health.condition import Condition, Part
from shared.health.report import StatusReport
from shared.health.unfinished import Unfinished
from shared.telemetry.metric import Kind, Metric, observe, observe_value

CAUSE, CONSEQUENCE = "cause", "consequence"

PROBLEMS = Metric(
    "xnovu.health.problems",
    Kind.GAUGE,
    "{problem}",
    "What /status tells as `problems`, by the part that is unwell: each is a `cause`, or the `consequence` of one.",
    ("xnovu.health.component", "xnovu.health.status", "xnovu.health.role"),
)
UNFINISHED = Metric(
    "xnovu.health.unfinished",
    Kind.GAUGE,
    "{row}",
    "Rows that are due and have not ended: `waiting` in nobody's hands, `in_hands` of a worker. None while the database"
    " is silent: nobody knows.",
    ("xnovu.row.state",),
)
UNFINISHED_AGE = Metric(
    "xnovu.health.unfinished.age", Kind.GAUGE, "s", "How long the oldest of them has been due; 0 for none."
)
RETRIED = Metric(
    "xnovu.health.retried",
    Kind.GAUGE,
    "{row}",
    "Rows that met a fault and are tried again, by the latest fault's code; `other` is one that this release has not.",
    ("xnovu.code",),
)

METRICS = tuple(value for value in vars().values() if isinstance(value, Metric))

RETRIED_CODES = (
    *("novu_fault", "novu_rate", "novu_payment_required", "in_doubt", "rendering_delayed", "internal_error"),
    *("worker_lost", "claim_refused", "outcome_refused", "renewal_refused", "cancellation_refused"),
)
"""As /status knows them (docs/health.md)."""

_ILL = (Condition.DEGRADED, Condition.UNHEALTHY)


class HealthMetrics:
    """What metrics say of the latest report; nothing before there is one."""

    def __init__(self) -> None:
        self._report: StatusReport | None = None
        observe(PROBLEMS, self._problems)
        observe(UNFINISHED, self._unfinished)
        observe_value(UNFINISHED_AGE, self._unfinished_age)
        observe(RETRIED, self._retried)

    def note(self, report: StatusReport) -> None:
        """From now on this is what they say."""
        self._report = report

    def _problems(self) -> Iterator[Observation]:
        """Zeros too, so that what is over is seen to be."""
        report = self._report
        if report is None:
            return
        counts = Counter(
            (problem.part, problem.condition, CONSEQUENCE if problem.because_of else CAUSE)
            for problem in report.health.problems
        )
        for part, condition, role in product(Part, _ILL, (CAUSE, CONSEQUENCE)):
            labels = zip(PROBLEMS.attributes, (part.value, condition.value, role), strict=True)
            yield Observation(counts[part, condition, role], dict(labels))

    def _unfinished(self) -> Iterator[Observation]:
        if unfinished := self._known():
            yield Observation(unfinished.waiting, {"xnovu.row.state": "waiting"})
            yield Observation(unfinished.in_hands, {"xnovu.row.state": "in_hands"})

    def _unfinished_age(self) -> float | None:
        unfinished = self._known()
        return unfinished.oldest_age_seconds if unfinished else None

    def _known(self) -> Unfinished | None:
        report = self._report
        return None if report is None else report.health.unfinished

    def _retried(self) -> Iterator[Observation]:
        report = self._report
        if report is None or report.health.unfinished is None:
            return
        rows = Counter(dict.fromkeys(RETRIED_CODES, 0))
        for retried in report.observations.database.retried:
            rows[retried.code if retried.code in RETRIED_CODES else "other"] += retried.rows
        for code, count in rows.items():
            yield Observation(count, {"xnovu.code": code})
