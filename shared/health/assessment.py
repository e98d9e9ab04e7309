"""What observations say about health. Pure: the same observations at the same instant are the same report."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shared.health import dependencies, hearing, remedies, working
from shared.health.condition import Condition, Part, Problem, worst
from shared.health.observations import Observations, SubscriptionState
from shared.health.report import HealthReport, StatusReport, SubscriptionCounts
from shared.health.thresholds import Thresholds
from shared.health.unfinished import count_unfinished

__all__ = ["Thresholds", "assess", "is_ready", "report_status"]

MOST_PROBLEMS = 20
_HEARD = (SubscriptionState.SUBSCRIBED, SubscriptionState.CATCHING_UP)
_NOT_HAD = (SubscriptionState.UNHEARD, SubscriptionState.UNKNOWN)


def assess(observations: Observations, now: datetime, thresholds: Thresholds | None = None) -> HealthReport:
    """The health of the deployment: the worst of its parts. Its problems are causes, the worst first, each followed by
    what it brings about.
    """
    limits = thresholds or Thresholds()
    states = hearing.enterprise_states(observations, now, limits)
    return HealthReport(
        uptime_seconds=max(0, int((now - observations.observer.started_at).total_seconds())),
        subscriptions=SubscriptionCounts.of(states.values()),
        enterprise_status=states,
        orchestration=_orchestration(observations),
        problems=tuple(_folded(_find(observations, now, limits))),
        unfinished=count_unfinished(observations, now, limits),
    )


def _find(observations: Observations, now: datetime, limits: Thresholds) -> list[Problem]:
    """All problems, causes before what they may bring about. Of several causes the first in this order counts: where
    the database is away nobody knows what else is, where Temporal is nobody works, and so on.
    """
    states = hearing.enterprise_states(observations, now, limits)
    payment = list(dependencies.of_payment(observations))
    supabase = list(dependencies.of_supabase(observations.database, now, limits))
    temporal = list(dependencies.of_temporal(observations.temporal, now, limits))
    workers = list(working.of_workers(observations, states))
    novu = list(dependencies.of_novu(observations, now, limits))
    keys = list(dependencies.of_keys(observations))
    lost = list(working.of_lost(observations, states, limits))
    heard = list(_because(hearing.of_subscriptions(observations, states, limits), supabase))
    found = [*payment, *supabase, *temporal, *workers, *heard, *lost, *novu, *keys]
    found += [*working.of_orchestration(observations), *working.of_rule_errors(observations)]
    found += working.of_parts(observations, now)

    blind = [*supabase, *temporal, *workers]
    found += _because(working.of_schedulers(observations, states, now, limits), blind)
    found += _because(working.of_unread_rules(observations, now, limits), blind)
    holding = [*supabase, *temporal, *workers, *payment, *novu, *lost, *(each for each in heard if not each.because_of)]
    found += _because(working.of_due_rows(observations, limits), holding)
    found += _because(working.of_tasks(observations, limits), holding)
    found += _because(working.of_rows_in_hands(observations, limits, explained=bool(holding)), holding)
    well_since = dependencies.novu_well_since(observations, now, limits)
    for code, retried in working.of_retries(observations, well_since, limits):
        causes = [*payment, *novu] if working.is_of_novu(code) else keys if code == dependencies.KEY_MISSING else []
        found += _because([retried], causes)
    return found


def _because(problems: Iterable[Problem], causes: Sequence[Problem]) -> Iterator[Problem]:
    """These problems, brought about by the first of the causes if there is one."""
    for problem in problems:
        yield replace(problem, because_of=causes[0].part) if causes else problem


def _folded(problems: Sequence[Problem]) -> Iterator[Problem]:
    """The causes with what to do, by their weight, that of what they bring about included; each followed by that."""
    causes = [problem for problem in problems if problem.because_of is None]
    effects: dict[Part, list[Problem]] = {}
    for problem in problems:
        if problem.because_of is not None:
            effects.setdefault(problem.because_of, []).append(problem)

    def weight(cause: Problem) -> bool:
        brought = effects.get(cause.part, ())
        return worst(each.condition for each in (cause, *brought)) is not Condition.UNHEALTHY

    told = 0
    for cause in sorted(causes, key=weight):
        told += 1
        if told <= MOST_PROBLEMS:
            yield replace(cause, do=cause.do or remedies.BY_PART[cause.part])
            for effect in effects.pop(cause.part, ()):
                yield replace(effect, do="")
    if told > MOST_PROBLEMS:
        left = sorted(causes, key=weight)[MOST_PROBLEMS:]
        condition = worst(each.condition for each in left)
        yield Problem(left[0].part, condition, f"{len(left)} more problems", remedies.BY_PART[left[0].part])


def report_status(observations: Observations, now: datetime, thresholds: Thresholds | None = None) -> StatusReport:
    """The health, and all that it was concluded from."""
    return StatusReport(health=assess(observations, now, thresholds), observations=observations, observed_at=now)


def is_ready(observations: Observations, now: datetime, thresholds: Thresholds | None = None) -> bool:
    """Whether what is written now goes out: every enterprise is subscribed, a worker polls, the database and Temporal
    answer, and no part has stopped.
    """
    limits = thresholds or Thresholds()
    states = set(hearing.enterprise_states(observations, now, limits).values()).difference(_NOT_HAD)
    failing = [*observations.failing, *(part for report in observations.components for part in report.failing)]
    # One that hears nobody waits to take another's place: there are more listeners than shards.
    hears = bool(observations.listeners) and states.issubset(_HEARD)
    answered = working.rows_are_known(observations, now, limits) and working.temporal_is_known(
        observations, now, limits
    )
    works = any(worker.polling for worker in observations.workers)
    return hears and works and answered and all(part.running for part in failing)


def _orchestration(observations: Observations) -> str:
    return "UNKNOWN" if observations.temporal.answered_at is None else observations.temporal.orchestration
