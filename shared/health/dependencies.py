"""The servers that everything depends on: Supabase, Temporal, Novu."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.health import remedies
from shared.health.condition import Condition, Part, Problem
from shared.health.known import database_is_known
from shared.health.observations import DatabaseObservation, NovuObservation, Observations, TemporalObservation
from shared.health.thresholds import Thresholds
from shared.health.wording import counted, listed

UNPAID = "novu_payment_required"
KEY_MISSING = "novu_key_missing"


def of_temporal(temporal: TemporalObservation, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    yield from _of_answers(
        Part.TEMPORAL, temporal.answered_at, temporal.error, remedies.BY_PART[Part.TEMPORAL], now, limits
    )


def of_supabase(database: DatabaseObservation, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    do = remedies.of_database(database.error_code)
    yield from _of_answers(Part.SUPABASE, database.answered_at, database.error, do, now, limits)


def _of_answers(
    part: Part, answered_at: datetime | None, error: str | None, do: str, now: datetime, limits: Thresholds
) -> Iterator[Problem]:
    silent_for = None if answered_at is None else (now - answered_at).total_seconds()
    if silent_for is None or silent_for > limits.answer_within:
        since = "it has not answered yet" if silent_for is None else f"no answer for {silent_for:.0f} s"
        yield Problem(part, Condition.UNHEALTHY, f"{since}: {error}" if error else since, do)
    elif error:
        yield Problem(part, Condition.DEGRADED, error, do)


def of_payment(observations: Observations) -> Iterator[Problem]:
    """Novu takes nothing of anybody until somebody pays: nothing in the deployment can mend it."""
    unpaid = [retried for retried in observations.database.retried if retried.code == UNPAID]
    if unpaid:
        rows, age = sum(each.rows for each in unpaid), max(each.oldest_age_seconds for each in unpaid)
        reason = (
            f"Novu wants to be paid (HTTP 402): {counted(rows, 'delivery', 'deliveries')} wait, for {age:.0f} s. Its"
            " plan is used up, or the organisation is paused: see its billing page"
        )
        yield Problem(Part.NOVU, Condition.UNHEALTHY, reason, remedies.PAY)


def of_keys(observations: Observations) -> Iterator[Problem]:
    """Keys of enterprises' own that a worker does not have: their rows wait for one that does."""
    lacking = sorted({name for worker in observations.workers for name in worker.novu.lacking_keys})
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        reason = f"{listed(lacking)} {verb} not set in a worker: rows of enterprises whose key that is wait"
        yield Problem(Part.NOVU, Condition.DEGRADED, reason, remedies.KEY)


def of_novu(observations: Observations, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    """Each worker sees its own calls only: one that reaches Novu is enough to keep notifications going."""
    calling = [worker.novu for worker in observations.workers if _counts(worker.novu, observations, now, limits)]
    failing = [novu for novu in calling if novu.failing_since is not None]
    if failing:
        longest = max((now - novu.failing_since).total_seconds() for novu in failing if novu.failing_since)
        all_for_long = len(failing) == len(calling) and longest >= limits.novu_failing_unhealthy
        reason = f"nothing but faults for {longest:.0f} s: {failing[0].last_fault}"
        yield Problem(Part.NOVU, Condition.UNHEALTHY if all_for_long else Condition.DEGRADED, reason)
        return
    waiting = [_seconds_since(worker.novu.unanswered_since, now) for worker in observations.workers]
    longest = max(waiting, default=0.0)
    slowest = max((worker.novu.slow_seconds for worker in observations.workers), default=0.0)
    if longest >= limits.novu_slow:
        all_for_long = min(waiting) >= limits.novu_failing_unhealthy
        reason = f"a call has had no answer for {longest:.0f} s"
        yield Problem(Part.NOVU, Condition.UNHEALTHY if all_for_long else Condition.DEGRADED, reason)
    elif slowest >= limits.novu_slow:
        yield Problem(Part.NOVU, Condition.DEGRADED, f"it is slow: an answer took {slowest:.1f} s")


def _counts(novu: NovuObservation, observations: Observations, now: datetime, limits: Thresholds) -> bool:
    """Whether its latest answers still tell how Novu is. Where nothing is left to send they soon do not: no next call
    would show that it is well again.
    """
    if novu.last_call_at is None:
        return False
    database = observations.database
    idle = database_is_known(database, now, limits) and not any(held.rows for held in database.in_hands.values())
    counts_for = limits.novu_idle if idle and not database.retried else limits.novu_forgotten
    return now - novu.last_call_at <= timedelta(seconds=counts_for)


def novu_well_since(observations: Observations, now: datetime, limits: Thresholds) -> datetime | None:
    """Since when Novu has answered as it should, to all that call it; None where it does not, or nobody knows."""
    if next(of_novu(observations, now, limits), None) is not None:
        return None
    return max((each.novu.well_since for each in observations.workers if each.novu.well_since), default=None)


def _seconds_since(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else (now - instant).total_seconds()
