"""What is to be done, and whether it is: workers, rows, tasks, rules and their schedulers."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from shared.health import remedies
from shared.health.condition import Condition, Part, Problem
from shared.health.dependencies import UNPAID
from shared.health.hearing import told
from shared.health.known import database_is_known, heartbeats_are_known, is_fresh
from shared.health.observations import (
    Component,
    DueRows,
    LostComponent,
    Observations,
    RetriedDeliveries,
    SubscriptionState,
)
from shared.health.thresholds import Thresholds
from shared.health.wording import counted, listed
from shared.shards import shard_of, shared_scheduler

SCHEDULERS = ("cron", "scheduled")
_SCHEDULER_WORKFLOWS = {"cron": "cron-scheduling", "scheduled": "scheduled-notification"}
_RATES = {"novu_rate": "wait for Novu's rate", "enterprise_rate": "wait for the enterprise's own rate"}
_OF_NOVU = ("novu_fault", "in_doubt")


def of_workers(observations: Observations, states: Mapping[str, SubscriptionState]) -> Iterator[Problem]:
    """Whether somebody works, for everybody who is heard."""
    polling = [worker for worker in observations.workers if worker.polling]
    if not polling:
        if observations.workers or heartbeats_are_known(observations):
            lost = "; ".join(told(each) for each in observations.database.lost if each.component is Component.WORKER)
            reason = f"no worker polls the task queue{f': {lost}' if lost else ''}"
            yield Problem(Part.QUEUE, Condition.UNHEALTHY, reason, remedies.NO_WORKER)
        return
    if any(worker.enterprise_ids is None for worker in polling):
        return
    worked_for = {each for worker in polling for each in worker.enterprise_ids or ()}
    if unworked := [each for each in states if each not in worked_for]:
        yield Problem(Part.QUEUE, Condition.DEGRADED, f"no worker works for {listed(unworked)}", remedies.UNWORKED)


def of_lost(
    observations: Observations, states: Mapping[str, SubscriptionState], limits: Thresholds
) -> Iterator[Problem]:
    """Processes that ended without a word, or froze, and that no later one stands for; others do their work."""
    if not heartbeats_are_known(observations):
        return
    for component in Component:
        for lost in _not_replaced(observations, component):
            unheard = any(states.get(each) is SubscriptionState.UNHEARD for each in lost.enterprise_ids)
            if lost.silent_seconds < limits.lost_forgotten and not unheard and _others_work(observations, component):
                yield Problem(Part.PROCESSES, Condition.DEGRADED, told(lost), remedies.LOST)


def _others_work(observations: Observations, component: Component) -> bool:
    """Otherwise that nobody does is the problem."""
    if component is Component.LISTENER:
        return bool(observations.listeners)
    return any(worker.polling for worker in observations.workers)


def _not_replaced(observations: Observations, component: Component) -> Sequence[LostComponent]:
    """Each that started after another was heard of for the last time stands for it, though it be lost itself by now."""
    started = [each.process.started_at for each in observations.components if each.component is component]
    started += [
        each.started_at for each in observations.database.lost if each.component is component and each.started_at
    ]
    started.sort()
    left = []
    for lost in sorted(observations.database.lost, key=lambda it: it.reported_at):
        if lost.component is not component:
            continue
        replacement = next((instant for instant in started if instant > lost.reported_at), None)
        if replacement is None:
            left.append(lost)
        else:
            started.remove(replacement)
    return left


def of_orchestration(observations: Observations) -> Iterator[Problem]:
    orchestration = observations.temporal.orchestration
    if observations.temporal.answered_at is not None and orchestration != "RUNNING":
        yield Problem(Part.RULE_ENGINE, Condition.UNHEALTHY, f"the orchestration workflow is {orchestration}")


def of_schedulers(
    observations: Observations, states: Mapping[str, SubscriptionState], now: datetime, limits: Thresholds
) -> Iterator[Problem]:
    if observations.temporal.answered_at is not None and observations.temporal.orchestration != "RUNNING":
        return  # which tells it
    if observations.temporal.error or observations.database.error:
        unknown = "Temporal" if observations.temporal.error else "Supabase"
        yield Problem(Part.RULE_ENGINE, Condition.DEGRADED, f"its schedulers are out of sight: {unknown}")
        return
    passes = {(seen.enterprise_id, seen.scheduler): seen for seen in observations.database.passes}
    absent, blind = [], []
    overdue: dict[str, float] = {}
    for enterprise_id, state in states.items():
        if state in (SubscriptionState.UNHEARD, SubscriptionState.UNKNOWN):
            continue
        for scheduler in SCHEDULERS:
            workflow_id = f"{_SCHEDULER_WORKFLOWS[scheduler]}/{enterprise_id}"
            shared_id = f"{_SCHEDULER_WORKFLOWS[scheduler]}/{shared_scheduler(shard_of(enterprise_id))}"
            seen = passes.get((enterprise_id, scheduler))
            is_shared = shared_id in observations.temporal.running_schedulers
            if not is_shared and workflow_id not in observations.temporal.running_schedulers:
                absent.append(workflow_id)
            elif seen is None and is_shared:
                continue  # it looks for who has something to look at
            elif seen is None:
                blind.append(workflow_id)
            elif seen.overdue_seconds >= limits.pass_overdue_degraded:
                overdue[workflow_id] = seen.overdue_seconds
    if absent:
        yield _scheduling(Condition.DEGRADED, f"{listed(absent)} {_verb(absent, 'does', 'do')} not run")
    if blind:
        yield _scheduling(Condition.DEGRADED, f"{listed(blind)} {_verb(blind, 'has', 'have')} not looked yet")
    if overdue:
        latest = sorted(overdue, key=lambda it: -overdue[it])
        age = overdue[latest[0]]
        reason = f"{listed(latest)} {_verb(latest, 'is', 'are')} overdue by {age:.0f} s"
        yield _scheduling(_condition(age, limits.pass_overdue_unhealthy), reason)


def of_unread_rules(observations: Observations, now: datetime, limits: Thresholds) -> Iterator[Problem]:
    """A rule may be past its instant, and nobody knows: its scheduler, told of it, does not read it."""
    unread: dict[str, float] = {}
    for listener in observations.listeners:
        for enterprise_id, since in listener.unread_rules.items():
            age = (now - since).total_seconds()
            if age >= limits.pass_overdue_degraded:
                unread[enterprise_id] = max(age, unread.get(enterprise_id, age))
    if unread:
        workflows = [f"{_SCHEDULER_WORKFLOWS['cron']}/{each}" for each in sorted(unread, key=lambda it: -unread[it])]
        age = max(unread.values())
        reason = f"{listed(workflows)} {_verb(workflows, 'has', 'have')} not read rules that changed {age:.0f} s ago"
        yield _scheduling(_condition(age, limits.pass_overdue_unhealthy), reason)


def of_rule_errors(observations: Observations) -> Iterator[Problem]:
    """Rules that nobody will hear of until somebody mends them."""
    wrong = observations.database.rule_errors
    if wrong:
        first = wrong[0]
        where = listed([f"{each.enterprise_id} {each.rules}" for each in wrong])
        count = counted(sum(each.rules for each in wrong), "rule")
        reason = f"{count} cannot fire ({where}), such as rule {first.rule_id} of {first.enterprise_id}: {first.error}"
        yield Problem(Part.RULE_ENGINE, Condition.DEGRADED, reason, remedies.RULE_ERRORS)


def of_tasks(observations: Observations, limits: Thresholds) -> Iterator[Problem]:
    for kind, queue in observations.temporal.task_queues.items():
        if queue.backlog and queue.backlog_age_seconds >= limits.waiting_degraded:
            age = queue.backlog_age_seconds
            reason = f"{queue.backlog} {kind} tasks wait, the oldest for {age:.0f} s"
            yield Problem(Part.QUEUE, _condition(age, limits.waiting_unhealthy), reason)


def of_due_rows(observations: Observations, limits: Thresholds) -> Iterator[Problem]:
    yield from _of_rows(observations.database.due, "due row", "wait", limits.waiting_degraded, limits)


def of_rows_in_hands(observations: Observations, limits: Thresholds, *, explained: bool) -> Iterator[Problem]:
    """Rows that a worker holds and does not get through with; earlier where something else says why (`explained`)."""
    degraded = limits.waiting_degraded if explained else limits.in_hands_degraded
    yield from _of_rows(observations.database.in_hands, "row", "are in a worker's hands", degraded, limits)


def _of_rows(
    rows: Mapping[str, DueRows], what: str, verb: str, degraded: float, limits: Thresholds
) -> Iterator[Problem]:
    """Of the enterprises whose oldest has waited for too long."""
    late = {name: each for name, each in rows.items() if each.rows and each.oldest_age_seconds >= degraded}
    if late:
        oldest = max(late, key=lambda name: late[name].oldest_age_seconds)
        count, age = sum(each.rows for each in late.values()), late[oldest].oldest_age_seconds
        told_rows = f"{count:,} {what}s {verb}"
        reason = f"{_whose(late)}: {told_rows}, the oldest for {age:.0f} s" + (f" ({oldest})" if len(late) > 1 else "")
        yield Problem(Part.QUEUE, _condition(age, limits.waiting_unhealthy), reason)


def of_retries(
    observations: Observations, well_since: datetime | None, limits: Thresholds
) -> Iterator[tuple[str, Problem]]:
    """Deliveries that are tried again, by the code of their latest fault. A row that keeps failing is a row's trouble,
    or that of what it needs; then that is unhealthy by itself. Those that failed before Novu was well (`well_since`)
    only wait for their next attempt.
    """
    by_code: defaultdict[str, list[RetriedDeliveries]] = defaultdict(list)
    for retried in observations.database.retried:
        if retried.oldest_age_seconds >= limits.waiting_degraded and retried.code != UNPAID:
            by_code[retried.code].append(retried)
    for code, rows in by_code.items():
        latest = observations.database.latest_faults.get(code)
        if is_of_novu(code) and well_since and latest and latest < well_since:
            continue
        what = _RATES.get(code, f"keep failing ({code})")
        whose = _whose({each.enterprise_id for each in rows})
        count = counted(sum(each.rows for each in rows), "delivery", "deliveries")
        age = max(each.oldest_age_seconds for each in rows)
        yield code, Problem(Part.QUEUE, Condition.DEGRADED, f"{whose}: {count} {what}, for {age:.0f} s")


def is_of_novu(code: str) -> bool:
    """Whether a delivery's fault of this code is Novu's doing."""
    return code in _OF_NOVU


def of_parts(observations: Observations, now: datetime) -> Iterator[Problem]:
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


def temporal_is_known(observations: Observations, now: datetime, limits: Thresholds) -> bool:
    """Whether Temporal has answered lately."""
    return is_fresh(observations.temporal.answered_at, now, limits)


def rows_are_known(observations: Observations, now: datetime, limits: Thresholds) -> bool:
    """Whether the counts of rows still tell how things are."""
    return database_is_known(observations.database, now, limits)


def _whose(enterprise_ids: Collection[str]) -> str:
    return next(iter(enterprise_ids)) if len(enterprise_ids) == 1 else counted(len(enterprise_ids), "enterprise")


def _scheduling(condition: Condition, reason: str) -> Problem:
    return Problem(Part.RULE_ENGINE, condition, reason)


def _condition(age: float, unhealthy: float) -> Condition:
    return Condition.UNHEALTHY if age >= unhealthy else Condition.DEGRADED


def _verb(subjects: Sequence[str], one: str, many: str) -> str:
    return one if len(subjects) == 1 else many
