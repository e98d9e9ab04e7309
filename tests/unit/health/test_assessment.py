"""What each observation says about health, as a table."""

from dataclasses import dataclass, replace

import pytest

from shared.health.assessment import Thresholds, assess, is_ready
from shared.health.condition import Condition, Part
from shared.health.observations import (
    DueRows,
    FailingPart,
    ListenerObservation,
    Observations,
    RetriedDeliveries,
    SubscriptionState,
)
from tests.unit.health.builders import (
    ENTERPRISES,
    IDLE_QUEUE,
    NOW,
    a_database,
    a_feed_in_trouble,
    a_listener,
    a_novu,
    a_report,
    a_temporal,
    a_worker,
    before,
    observed,
    passes,
)

DEGRADED, UNHEALTHY = Condition.DEGRADED, Condition.UNHEALTHY
SUBSCRIBED, CATCHING_UP = SubscriptionState.SUBSCRIBED, SubscriptionState.CATCHING_UP
RECONNECTING, FAILED = SubscriptionState.RECONNECTING, SubscriptionState.FAILED


@dataclass(frozen=True)
class Case:
    """What is seen, and the one part that is unwell for it."""

    name: str
    seen: Observations
    part: Part
    condition: Condition
    says: str


def waiting(rows: int, age: float) -> Observations:
    return observed(database=a_database(due={"acme": DueRows(rows=rows, oldest_age_seconds=age)}))


def backlog(age: float) -> Observations:
    queue = replace(IDLE_QUEUE, backlog=7, backlog_age_seconds=age)
    return observed(temporal=a_temporal(task_queues={"workflow": IDLE_QUEUE, "activity": queue}))


def a_failing_part(*, running: bool) -> FailingPart:
    return FailingPart(part="sweeper", faults=3, failing_since=before(20), last_fault="KeyError", running=running)


def retried(age: float, code: str = "internal_error") -> Observations:
    return observed(
        database=a_database(
            retried=(RetriedDeliveries(enterprise_id="acme", code=code, rows=2, oldest_age_seconds=age),)
        )
    )


def unread_rules(age: float) -> Observations:
    listener = replace(a_listener().listener, unread_rules={"acme": before(age)})  # type: ignore[type-var]
    return observed(a_report("listener-1", listener=listener), a_worker())


CASES = [
    Case(
        "deliveries that keep failing",
        retried(10),
        Part.QUEUE,
        DEGRADED,
        "acme: 2 deliveries keep failing (internal_error), for 10 s",
    ),
    Case("deliveries that keep failing for long", retried(9999), Part.QUEUE, DEGRADED, "for 9999 s"),
    Case("deliveries that wait for tokens", retried(10, "novu_rate"), Part.QUEUE, DEGRADED, "wait for Novu's rate"),
    Case("a limit of its own", retried(10, "enterprise_rate"), Part.QUEUE, DEGRADED, "the enterprise's own rate"),
    Case(
        "a key that is not set",
        observed(a_listener(), a_worker(a_novu(lacking_keys=("NOVU_SECRET_KEY__ACME",)))),
        Part.NOVU,
        DEGRADED,
        "NOVU_SECRET_KEY__ACME is not set in a worker",
    ),
    Case("a bill to pay", retried(0, "novu_payment_required"), Part.NOVU, UNHEALTHY, "see its billing page"),
    Case(
        "a part that stumbles",
        observed(a_listener(), replace(a_worker(), failing=(a_failing_part(running=True),))),
        Part.PROCESSES,
        DEGRADED,
        "worker: sweeper failed 3 times in 20 s (KeyError), and runs again",
    ),
    Case(
        "a part of the daemon's own",
        replace(observed(), failing=(a_failing_part(running=False),)),
        Part.PROCESSES,
        DEGRADED,
        "daemon: sweeper failed 3 times in 20 s (KeyError), and is to be run again",
    ),
    Case("a seat lost", observed(a_listener(acme=RECONNECTING), a_worker()), Part.SUBSCRIPTIONS, DEGRADED, "acme"),
    Case("all seats lost", observed(a_listener(RECONNECTING), a_worker()), Part.SUBSCRIPTIONS, DEGRADED, "globex"),
    Case("catching up", observed(a_listener(CATCHING_UP), a_worker()), Part.SUBSCRIPTIONS, DEGRADED, "catching_up"),
    Case("a seat failed", observed(a_listener(acme=FAILED), a_worker()), Part.SUBSCRIPTIONS, DEGRADED, "acme failed"),
    Case("all seats failed", observed(a_listener(FAILED), a_worker()), Part.SUBSCRIPTIONS, UNHEALTHY, "failed"),
    Case(
        "something at the server keeps changes from the listener",
        a_feed_in_trouble(),
        Part.SUBSCRIPTIONS,
        DEGRADED,
        "mend it with: alter publication",
    ),
    Case(
        "a rule that its scheduler does not read",
        unread_rules(31),
        Part.RULE_ENGINE,
        DEGRADED,
        "cron-scheduling/acme has not read rules that changed 31 s ago",
    ),
    Case("a rule unread for long", unread_rules(301), Part.RULE_ENGINE, UNHEALTHY, "301 s ago"),
    Case("no listener", observed(a_worker()), Part.SUBSCRIPTIONS, UNHEALTHY, "no listener"),
    Case(
        "Supabase misses a call",
        observed(database=a_database(error="Supabase: 503")),
        Part.SUPABASE,
        DEGRADED,
        "503",
    ),
    Case(
        "Supabase is silent",
        observed(database=a_database(error="Supabase: 503", answered_at=before(11))),
        Part.SUPABASE,
        UNHEALTHY,
        "no answer for 11 s",
    ),
    Case(
        "Supabase has never answered",
        observed(database=a_database(error="Supabase: 503", answered_at=None)),
        Part.SUPABASE,
        UNHEALTHY,
        "not answered yet",
    ),
    Case(
        "Temporal misses a call",
        observed(temporal=a_temporal(error="Temporal: UNAVAILABLE")),
        Part.TEMPORAL,
        DEGRADED,
        "UNAVAILABLE",
    ),
    Case(
        "Temporal is silent",
        observed(temporal=a_temporal(error="Temporal: UNAVAILABLE", answered_at=before(11))),
        Part.TEMPORAL,
        UNHEALTHY,
        "no answer for 11 s",
    ),
    Case(
        "our own look is late",
        observed(temporal=a_temporal(answered_at=before(11))),
        Part.TEMPORAL,
        UNHEALTHY,
        "no answer for 11 s",
    ),
    Case(
        "the orchestration is stopped",
        observed(temporal=a_temporal(orchestration="COMPLETED")),
        Part.RULE_ENGINE,
        UNHEALTHY,
        "COMPLETED",
    ),
    Case(
        "the orchestration was never started",
        observed(temporal=a_temporal(orchestration="NOT_FOUND")),
        Part.RULE_ENGINE,
        UNHEALTHY,
        "NOT_FOUND",
    ),
    Case(
        "a scheduler is gone",
        observed(temporal=a_temporal(running_schedulers=a_temporal().running_schedulers - {"cron-scheduling/acme"})),
        Part.RULE_ENGINE,
        DEGRADED,
        "cron-scheduling/acme does not run",
    ),
    Case(
        "a scheduler has not looked",
        observed(database=a_database(passes=passes(without=[("acme", "scheduled")]))),
        Part.RULE_ENGINE,
        DEGRADED,
        "scheduled-notification/acme has not looked yet",
    ),
    Case(
        "passes are late",
        observed(database=a_database(passes=passes(overdue_seconds=30))),
        Part.RULE_ENGINE,
        DEGRADED,
        "overdue by 30 s",
    ),
    Case(
        "passes are very late",
        observed(database=a_database(passes=passes(overdue_seconds=300))),
        Part.RULE_ENGINE,
        UNHEALTHY,
        "overdue by 300 s",
    ),
    Case("no worker", observed(a_listener()), Part.QUEUE, UNHEALTHY, "no worker"),
    Case("a worker is leaving", observed(a_listener(), a_worker(polling=False)), Part.QUEUE, UNHEALTHY, "no worker"),
    Case("rows wait", waiting(3, 10), Part.QUEUE, DEGRADED, "acme: 3 due rows wait, the oldest for 10 s"),
    Case("rows wait for long", waiting(3, 300), Part.QUEUE, UNHEALTHY, "300 s"),
    Case("tasks wait", backlog(10), Part.QUEUE, DEGRADED, "7 activity tasks wait"),
    Case("tasks wait for long", backlog(300), Part.QUEUE, UNHEALTHY, "300 s"),
    Case(
        "Novu refuses",
        observed(a_listener(), a_worker(a_novu(failing_since=before(5), last_fault="HTTP 503"))),
        Part.NOVU,
        DEGRADED,
        "5 s: HTTP 503",
    ),
    Case(
        "Novu refuses for long",
        observed(a_listener(), a_worker(a_novu(failing_since=before(60), last_fault="HTTP 503"))),
        Part.NOVU,
        UNHEALTHY,
        "60 s: HTTP 503",
    ),
    Case(
        "Novu refuses one of two workers",
        observed(
            a_listener(),
            a_worker(a_novu(failing_since=before(60), last_fault="HTTP 503")),
            a_report("worker-2", worker=a_novu()),
        ),
        Part.NOVU,
        DEGRADED,
        "HTTP 503",
    ),
]

HARMLESS = {
    "all is well": observed(),
    "rows were due a moment ago": waiting(500, 9.9),
    "tasks were added a moment ago": backlog(9.9),
    "a pass is due now": observed(database=a_database(passes=passes(overdue_seconds=29))),
    "one of two listeners hears": observed(a_listener(FAILED), replace(a_listener(), component_id="two"), a_worker()),
    "a listener waits to take another's place": observed(
        a_report("listener", listener=ListenerObservation(enterprises={})), a_worker()
    ),
    "one of two workers is leaving": observed(
        a_listener(), a_worker(), a_report("worker-2", worker=replace(a_novu(), polling=False))
    ),
    "Novu's last fault is long ago": observed(
        a_listener(), a_worker(a_novu(failing_since=before(900), last_call_at=before(301), last_fault="HTTP 503"))
    ),
    "Temporal lists no poller, as one that polls is listed late": observed(
        temporal=a_temporal(task_queues={"workflow": replace(IDLE_QUEUE, pollers=0), "activity": IDLE_QUEUE})
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_amiss_shows(case: Case) -> None:
    report = assess(case.seen, NOW)

    assert report.status is case.condition
    assert report.condition_of(case.part) is case.condition
    assert case.says in "; ".join(problem.reason for problem in report.problems if problem.part is case.part)


@pytest.mark.parametrize("seen", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_harmless_is_healthy(seen: Observations) -> None:
    assert assess(seen, NOW).problems == ()


def test_while_the_database_is_silent_missing_heartbeats_mean_nothing() -> None:
    seen = observed(a_listener(), database=a_database(error="Supabase: 503"))

    assert {problem.part for problem in assess(seen, NOW).problems} == {Part.SUPABASE, Part.RULE_ENGINE}


def test_all_enterprises_are_counted_by_state() -> None:
    report = assess(observed(a_listener(acme=CATCHING_UP), a_worker()), NOW)

    counts = report.subscriptions
    assert (counts.total, counts.active, counts.failed, counts.reconnecting) == (len(ENTERPRISES), 1, 0, 1)
    assert report.enterprise_status == {"acme": CATCHING_UP, "globex": SUBSCRIBED}


def test_thresholds_are_a_matter_of_the_caller() -> None:
    assert assess(waiting(1, 2.0), NOW, Thresholds(waiting_degraded=1.0)).status is DEGRADED


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        (observed(), True),
        (observed(a_listener(CATCHING_UP), a_worker()), True),
        (observed(a_listener(acme=RECONNECTING), a_worker()), False),
        (observed(a_listener(), a_worker(polling=False)), False),
        (observed(a_worker()), False),
        (observed(a_report("listener", listener=ListenerObservation(enterprises={})), a_worker()), True),
        (observed(a_listener()), False),
        (replace(observed(), failing=(a_failing_part(running=True),)), True),
        (replace(observed(), failing=(a_failing_part(running=False),)), False),
    ],
)
def test_ready_means_subscribed_and_polling(seen: Observations, ready: bool) -> None:
    assert is_ready(seen, NOW) is ready


def test_a_bill_to_pay_is_told_first_and_only_once() -> None:
    observations = retried(9999, "novu_payment_required")
    silent = replace(observations, database=replace(observations.database, error="gone"))

    problems = assess(silent, NOW).problems

    assert "(HTTP 402): 2 deliveries wait, for 9999 s" in problems[0].reason
    assert not any("keep failing" in problem.reason for problem in problems)
