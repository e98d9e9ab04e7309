"""What observations say about health. Pure: the same observations at the same instant are the same report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.health.condition import Condition, Part, Problem
from shared.health.observations import DatabaseObservation, Observations, SubscriptionState, TemporalObservation
from shared.health.report import HealthReport, StatusReport, SubscriptionCounts

SCHEDULERS = ("cron", "scheduled")
_SCHEDULER_WORKFLOWS = {"cron": "cron-scheduling", "scheduled": "scheduled-notification"}
_RATE = "novu_rate"
_UNPAID = "novu_payment_required"
_FRESHEST_FIRST = (
    SubscriptionState.SUBSCRIBED,
    SubscriptionState.CATCHING_UP,
    SubscriptionState.RECONNECTING,
    SubscriptionState.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Seconds. Something without an answer is degraded at once and unhealthy after `answer_within`."""

    answer_within: float = 10.0
    waiting_degraded: float = 10.0
    """A row or task that waits so long: most are under way within half a second of being due."""
    waiting_unhealthy: float = 300.0
    pass_overdue_degraded: float = 30.0
    pass_overdue_unhealthy: float = 300.0
    novu_failing_unhealthy: float = 60.0
    novu_forgotten: float = 300.0
    """Without any call for so long, Novu's last fault says nothing any more."""


def assess(observations: Observations, now: datetime, thresholds: Thresholds | None = None) -> HealthReport:
    """The health of the deployment: the worst of its parts."""
    limits = thresholds or Thresholds()
    states = enterprise_states(observations)
    problems = (
        *_of_payment(observations),  # the cause of much of what follows
        *_of_subscriptions(observations, states),
        *_of_temporal(observations.temporal, now, limits),
        *_of_supabase(observations.database, now, limits),
        *_of_rule_engine(observations, states, limits),
        *_of_unread_rules(observations, now, limits),
        *_of_queue(observations, limits),
        *_of_retries(observations, limits),
        *_of_novu(observations, now, limits),
        *_of_processes(observations, now),
    )
    return HealthReport(
        uptime_seconds=max(0, int((now - observations.observer.started_at).total_seconds())),
        subscriptions=SubscriptionCounts.of(states.values()),
        enterprise_status=states,
        orchestration=_orchestration(observations.temporal),
        problems=problems,
    )


def report_status(observations: Observations, now: datetime, thresholds: Thresholds | None = None) -> StatusReport:
    """The health, and all that it was concluded from."""
    return StatusReport(health=assess(observations, now, thresholds), observations=observations, observed_at=now)


def is_ready(observations: Observations) -> bool:
    """Whether every enterprise is subscribed, a worker polls and no part has stopped: what is written now goes out."""
    states = enterprise_states(observations).values()
    heard = {SubscriptionState.SUBSCRIBED, SubscriptionState.CATCHING_UP}
    failing = [*observations.failing, *(part for report in observations.components for part in report.failing)]
    # One that hears nobody waits to take another's place: there are more listeners than shards.
    hears = bool(observations.listeners) and heard.issuperset(states)
    return hears and any(worker.polling for worker in observations.workers) and all(part.running for part in failing)


def enterprise_states(observations: Observations) -> dict[str, SubscriptionState]:
    """Each enterprise's state; of several listeners that serve it, the best: one that hears is enough."""
    states: dict[str, SubscriptionState] = {}
    for listener in observations.listeners:
        for enterprise_id, seen in listener.enterprises.items():
            known = states.get(enterprise_id, seen.state)
            states[enterprise_id] = min(known, seen.state, key=_FRESHEST_FIRST.index)
    return dict(sorted(states.items()))


def _of_subscriptions(observations: Observations, states: Mapping[str, SubscriptionState]) -> Iterator[Problem]:
    if not observations.listeners:
        if _heartbeats_are_known(observations):
            yield Problem(Part.SUBSCRIPTIONS, Condition.UNHEALTHY, "no listener reports")
        return
    unheard = [enterprise_id for enterprise_id, state in states.items() if state is not SubscriptionState.SUBSCRIBED]
    if not unheard:
        return
    flaws = sorted({flaw for listener in observations.listeners for flaw in listener.flaws})
    for flaw in flaws:
        yield Problem(Part.SUBSCRIPTIONS, Condition.DEGRADED, flaw)
    # While seats are only being taken anew, sweeps bring what the doorbell does not; attempts that fail for so long
    # that every seat counts as failed need a person.
    all_failed = all(state is SubscriptionState.FAILED for state in states.values())
    named = ", ".join(f"{enterprise_id} {states[enterprise_id]}" for enterprise_id in unheard[:5])
    more = f" and {len(unheard) - 5} more" if len(unheard) > 5 else ""
    errors = {listener.last_error for listener in observations.listeners if listener.last_error}
    cause = f": {'; '.join(sorted(errors))}" if errors else ""
    yield Problem(
        Part.SUBSCRIPTIONS, Condition.UNHEALTHY if all_failed else Condition.DEGRADED, f"{named}{more}{cause}"
    )


def _of_temporal(temporal: TemporalObservation, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    yield from _of_answers(Part.TEMPORAL, temporal.answered_at, temporal.error, now, limits)


def _of_supabase(database: DatabaseObservation, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    yield from _of_answers(Part.SUPABASE, database.answered_at, database.error, now, limits)


def _of_answers(
    part: Part, answered_at: datetime | None, error: str | None, now: datetime, limits: Thresholds
) -> Iterator[Problem]:
    silent_for = None if answered_at is None else (now - answered_at).total_seconds()
    if silent_for is None or silent_for > limits.answer_within:
        since = "it has not answered yet" if silent_for is None else f"no answer for {silent_for:.0f} s"
        yield Problem(part, Condition.UNHEALTHY, f"{since}: {error}" if error else since)
    elif error:
        yield Problem(part, Condition.DEGRADED, error)


def _of_rule_engine(
    observations: Observations, states: Mapping[str, SubscriptionState], limits: Thresholds
) -> Iterator[Problem]:
    orchestration = observations.temporal.orchestration
    if observations.temporal.answered_at is not None and orchestration != "RUNNING":
        yield Problem(Part.RULE_ENGINE, Condition.UNHEALTHY, f"the orchestration workflow is {orchestration}")
        return
    if observations.temporal.error or observations.database.error:
        unknown = "Temporal" if observations.temporal.error else "Supabase"
        yield Problem(Part.RULE_ENGINE, Condition.DEGRADED, f"its schedulers are out of sight: {unknown}")
        return
    passes = {(seen.enterprise_id, seen.scheduler): seen for seen in observations.database.passes}
    for enterprise_id in states:
        for scheduler in SCHEDULERS:
            workflow_id = f"{_SCHEDULER_WORKFLOWS[scheduler]}/{enterprise_id}"
            seen = passes.get((enterprise_id, scheduler))
            if workflow_id not in observations.temporal.running_schedulers:
                yield Problem(Part.RULE_ENGINE, Condition.DEGRADED, f"{workflow_id} does not run")
            elif seen is None:
                yield Problem(Part.RULE_ENGINE, Condition.DEGRADED, f"{workflow_id} has not looked yet")
            else:
                reason = f"{workflow_id} is overdue by {seen.overdue_seconds:.0f} s"
                yield from _of_age(
                    Part.RULE_ENGINE,
                    seen.overdue_seconds,
                    limits.pass_overdue_degraded,
                    limits.pass_overdue_unhealthy,
                    reason,
                )


def _of_unread_rules(observations: Observations, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    """A rule may be past its instant, and nobody knows: its scheduler, told of it, does not read it."""
    unread: dict[str, datetime] = {}
    for listener in observations.listeners:
        for enterprise_id, since in listener.unread_rules.items():
            unread[enterprise_id] = min(since, unread.get(enterprise_id, since))
    for enterprise_id, since in sorted(unread.items()):
        age = (now - since).total_seconds()
        reason = f"{_SCHEDULER_WORKFLOWS['cron']}/{enterprise_id} has not read rules that changed {age:.0f} s ago"
        yield from _of_age(Part.RULE_ENGINE, age, limits.pass_overdue_degraded, limits.pass_overdue_unhealthy, reason)


def _of_queue(observations: Observations, limits: Thresholds) -> Iterator[Problem]:
    if not any(worker.polling for worker in observations.workers) and (
        observations.workers or _heartbeats_are_known(observations)
    ):
        yield Problem(Part.QUEUE, Condition.UNHEALTHY, "no worker polls the task queue")
    for kind, queue in observations.temporal.task_queues.items():
        if queue.backlog:
            age = queue.backlog_age_seconds
            reason = f"{queue.backlog} {kind} tasks wait, the oldest for {age:.0f} s"
            yield from _of_age(Part.QUEUE, age, limits.waiting_degraded, limits.waiting_unhealthy, reason)
    for enterprise_id, due in observations.database.due.items():
        age = due.oldest_age_seconds
        reason = f"{enterprise_id}: {due.rows} due rows wait, the oldest for {age:.0f} s"
        yield from _of_age(Part.QUEUE, age, limits.waiting_degraded, limits.waiting_unhealthy, reason)


def _of_payment(observations: Observations) -> Iterator[Problem]:
    """Novu takes nothing of anybody until somebody pays: nothing in the deployment can mend it."""
    unpaid = [retried for retried in observations.database.retried if retried.code == _UNPAID]
    if unpaid:
        rows, age = sum(each.rows for each in unpaid), max(each.oldest_age_seconds for each in unpaid)
        reason = (
            f"Novu wants to be paid (HTTP 402): {rows} deliveries wait, for {age:.0f} s. Its plan is used up, or the"
            " organisation is paused: see its billing page"
        )
        yield Problem(Part.NOVU, Condition.UNHEALTHY, reason)


def _of_retries(observations: Observations, limits: Thresholds) -> Iterator[Problem]:
    """A row that keeps failing is a row's trouble, or that of what it needs; then that is unhealthy by itself."""
    for retried in observations.database.retried:
        age = retried.oldest_age_seconds
        if age >= limits.waiting_degraded and retried.code != _UNPAID:
            what = "wait for Novu's rate" if retried.code == _RATE else f"keep failing ({retried.code})"
            reason = f"{retried.enterprise_id}: {retried.rows} deliveries {what}, for {age:.0f} s"
            yield Problem(Part.QUEUE, Condition.DEGRADED, reason)


def _of_age(part: Part, age: float, degraded: float, unhealthy: float, reason: str) -> Iterator[Problem]:
    if age >= degraded:
        yield Problem(part, Condition.UNHEALTHY if age >= unhealthy else Condition.DEGRADED, reason)


def _of_novu(observations: Observations, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    """Each worker sees its own calls only: one that reaches Novu is enough to keep notifications going."""
    calling = [
        worker.novu
        for worker in observations.workers
        if worker.novu.last_call_at and (now - worker.novu.last_call_at).total_seconds() <= limits.novu_forgotten
    ]
    failing = [novu for novu in calling if novu.failing_since is not None]
    if not failing:
        return
    longest = max((now - novu.failing_since).total_seconds() for novu in failing if novu.failing_since)
    all_for_long = len(failing) == len(calling) and longest >= limits.novu_failing_unhealthy
    reason = f"nothing but faults for {longest:.0f} s: {failing[0].last_fault}"
    yield Problem(Part.NOVU, Condition.UNHEALTHY if all_for_long else Condition.DEGRADED, reason)


def _of_processes(observations: Observations, now: datetime) -> Iterator[Problem]:
    """Parts that stumble over what nobody foresaw. Those that do not come back show by what they no longer do, too."""
    reports = {report.component_id: report for report in observations.components}.values()
    failing = [("daemon", part) for part in observations.failing]
    failing += [(report.component.value, part) for report in reports for part in report.failing]
    for component, part in failing:
        state = "runs again" if part.running else "is to be run again"
        seconds = max(0.0, (now - part.failing_since).total_seconds())
        times = "once" if part.faults == 1 else f"{part.faults} times"
        reason = f"{component}: {part.part} failed {times} in {seconds:.0f} s ({part.last_fault}), and {state}"
        yield Problem(Part.PROCESSES, Condition.DEGRADED, reason)


def _orchestration(temporal: TemporalObservation) -> str:
    return "UNKNOWN" if temporal.answered_at is None else temporal.orchestration


def _heartbeats_are_known(observations: Observations) -> bool:
    """Heartbeats come through the database: while it does not answer, that nobody reports means nothing."""
    return observations.database.answered_at is not None and observations.database.error is None
