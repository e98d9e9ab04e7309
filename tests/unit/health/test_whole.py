"""Health compares what should be with what is: causes before what they bring about, and nothing that nobody sees."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from shared.health import remedies
from shared.health.assessment import assess, is_ready, report_status
from shared.health.condition import Condition, Part
from shared.health.observations import (
    Component,
    ComponentReport,
    DueRows,
    EnterpriseObservation,
    ListenerObservation,
    LostComponent,
    NovuObservation,
    Observations,
    RetriedDeliveries,
    RuleErrors,
    SubscriptionState,
    WorkerObservation,
)
from tests.unit.health.builders import (
    ENTERPRISES,
    NOW,
    PROCESS,
    a_database,
    a_listener,
    a_novu,
    a_report,
    a_temporal,
    a_worker,
    before,
    observed,
    passes,
)

UNHEARD, UNKNOWN = SubscriptionState.UNHEARD, SubscriptionState.UNKNOWN


def lost(component: Component = Component.LISTENER, *enterprise_ids: str, seconds: float = 20) -> LostComponent:
    return LostComponent(
        component_id=f"{component}-lost",
        component=component,
        host="main-2",
        pid=4712,
        reported_at=before(seconds),
        silent_seconds=seconds,
        enterprise_ids=enterprise_ids,
    )


def started(report: ComponentReport, at: datetime) -> ComponentReport:
    return replace(report, process=replace(PROCESS, started_at=at))


def first(seen: Observations) -> str:
    return assess(seen, NOW).summary


def conditions(seen: Observations) -> dict[Part, Condition]:
    return {problem.part: problem.condition for problem in assess(seen, NOW).problems}


@pytest.mark.parametrize(("seconds", "condition"), [(20, Condition.DEGRADED), (60, Condition.UNHEALTHY)])
def test_enterprises_of_a_listener_that_was_killed_are_heard_by_nobody(seconds: float, condition: Condition) -> None:
    due = {"initech": DueRows(rows=3, oldest_age_seconds=12)}
    gone = lost(Component.LISTENER, "initech", "umbrella", seconds=seconds)
    seen = observed(database=a_database(lost=(gone,), due=due))

    report = assess(seen, NOW)

    assert report.summary == (
        f"subscriptions: no listener hears initech, umbrella: the listener (process 4712 on main-2) has not been heard"
        f" of for {seconds} s. 3 rows of 1 enterprise wait, the oldest for 12 s; nothing is lost."
        f" Hint: {remedies.UNHEARD}"
    )
    assert (report.status, report.enterprise_status["initech"]) == (condition, UNHEARD)
    assert report.to_json()["components"]["subscriptions"] == {"total": 4, "active": 2, "failed": 2, "reconnecting": 0}
    [_, waiting] = report.problems
    assert (waiting.part, waiting.because_of, waiting.do) == (Part.QUEUE, Part.SUBSCRIPTIONS, "")


def test_enterprises_that_settings_name_and_no_listener_has_are_missed() -> None:
    assert "no listener hears umbrella" in first(replace(observed(), expected=("acme", "umbrella")))


@pytest.mark.parametrize("named", ["expected", "lost"])
def test_whom_nobody_is_to_serve_nobody_misses(named: str) -> None:
    gone = (lost(Component.LISTENER, "initech", seconds=400),) if named == "lost" else ()
    database = a_database(lost=gone, paused=frozenset({"initech"}))
    expected = ("initech",) if named == "expected" else ()

    assert assess(replace(observed(database=database), expected=expected), NOW).problems == ()


@pytest.mark.parametrize("component", Component)
def test_a_process_that_was_killed_is_told_of_until_another_stands_for_it(component: Component) -> None:
    gone = a_database(lost=(lost(component, *ENTERPRISES if component is Component.LISTENER else ()),))
    later = [started(report, before(10)) for report in (a_listener(), a_worker())]
    since_long = [started(report, before(999)) for report in (a_listener(), a_worker())]

    assert first(observed(*since_long, database=gone)).startswith(
        f"processes: the {component} (process 4712 on main-2)"
    )
    assert assess(observed(*later, database=gone), NOW).problems == ()
    assert assess(observed(*since_long, database=replace(gone, error="gone")), NOW).problems[0].part is Part.SUPABASE


def test_a_process_that_was_killed_long_ago_is_no_problem_where_others_do_its_work() -> None:
    seen = observed(database=a_database(lost=(lost(Component.WORKER, seconds=301),)))

    assert assess(seen, NOW).problems == ()


def test_the_last_worker_that_was_killed_is_named() -> None:
    seen = observed(a_listener(), database=a_database(lost=(lost(Component.WORKER),)))

    assert first(seen).startswith("queue: no worker polls the task queue: the worker (process 4712 on main-2)")


def test_enterprises_that_no_worker_works_for_are_missed() -> None:
    some = a_worker(enterprise_ids=("acme",))

    assert first(observed(a_listener(), some)).startswith("queue: no worker works for globex. Hint: name them in")
    everybody = a_report("worker-2", worker=WorkerObservation(polling=True))
    assert assess(observed(a_listener(), some, everybody), NOW).problems == ()


def test_rules_that_cannot_fire_show() -> None:
    wrong = tuple(
        RuleErrors(enterprise_id=name, rules=count, rule_id=7, error="61 is no minute")
        for name, count in (("acme", 4), ("globex", 5))
    )
    report = assess(observed(database=a_database(rule_errors=wrong)), NOW)

    assert report.summary == (
        "ruleEngine: 9 rules cannot fire (acme 4, globex 5), such as rule 7 of acme: 61 is no minute."
        f" Hint: {remedies.RULE_ERRORS}"
    )
    assert report.to_json()["components"]["ruleEngine"] == "degraded"


def many(rows: int, age: float = 20.0) -> dict[str, DueRows]:
    return {f"ent{number}": DueRows(rows=rows, oldest_age_seconds=age) for number in range(37)}


def test_forty_enterprises_behind_a_frozen_temporal_are_one_cause_and_a_few_lines() -> None:
    frozen = a_temporal(answered_at=before(28), error="Temporal does not answer within 3 s")
    late = passes(overdue_seconds=40)

    report = assess(observed(temporal=frozen, database=a_database(due=many(5), passes=late)), NOW)

    assert report.summary == (
        "temporal: no answer for 28 s: Temporal does not answer within 3 s. 185 rows of 37 enterprises wait, the oldest"
        " for 20 s; nothing is lost. Hint: xnovu doctor temporal"
    )
    assert [(each.part, each.because_of) for each in report.problems] == [
        (Part.TEMPORAL, None),
        (Part.RULE_ENGINE, Part.TEMPORAL),
        (Part.QUEUE, Part.TEMPORAL),
    ]


def test_rows_in_the_hands_of_workers_that_novu_fails_are_counted() -> None:
    failing = a_novu(failing_since=before(20), last_fault="HTTP 500")
    retried = tuple(
        RetriedDeliveries(enterprise_id=name, code="novu_fault", rows=25, oldest_age_seconds=20) for name in many(0)
    )
    seen = observed(a_listener(), a_worker(failing), database=a_database(in_hands=many(26), retried=retried))

    report = assess(seen, NOW)

    assert report.summary.startswith(
        "novu: nothing but faults for 20 s: HTTP 500. 962 rows of 37 enterprises wait, the oldest for 20 s"
    )
    assert [each.reason for each in report.problems[1:]] == [
        "37 enterprises: 962 rows are in a worker's hands, the oldest for 20 s (ent0)",
        "37 enterprises: 925 deliveries keep failing (novu_fault), for 20 s",
    ]
    assert {each.because_of for each in report.problems[1:]} == {Part.NOVU}
    assert report_status(seen, NOW).to_json()["unfinished"] == {
        "rows": 962,
        "waiting": 0,
        "in_hands": 962,
        "enterprises": 37,
        "oldest_age_seconds": 20.0,
        "at_least": False,
    }


@pytest.mark.parametrize(
    ("novu", "says"),
    [
        ({"unanswered_since": before(4)}, "novu: a call has had no answer for 4 s"),
        ({"slow_seconds": 4.04}, "novu: it is slow: an answer took 4.0 s"),
        ({"unanswered_since": before(3)}, "all is well"),
        ({"slow_seconds": 3.9}, "all is well"),
    ],
)
def test_a_novu_that_does_not_answer_or_takes_long_shows(novu: dict[str, Any], says: str) -> None:
    assert first(observed(a_listener(), a_worker(a_novu(**novu)))).startswith(says)


def test_once_nothing_is_left_to_send_novus_last_fault_is_soon_forgotten() -> None:
    failing = a_novu(failing_since=before(200), last_call_at=before(16), last_fault="HTTP 500")
    workers = (a_listener(), a_worker(failing))

    assert assess(observed(*workers), NOW).problems == ()
    for held in (a_database(in_hands=many(1)), a_database(error="gone", answered_at=before(30))):
        assert Part.NOVU in conditions(observed(*workers, database=held))


@pytest.mark.parametrize(("faulted", "well"), [(before(30), True), (before(3), False)])
def test_rows_that_failed_before_novu_was_well_only_wait_for_their_next_attempt(faulted: datetime, well: bool) -> None:
    retried = (RetriedDeliveries(enterprise_id="acme", code="novu_fault", rows=2, oldest_age_seconds=60),)
    database = a_database(retried=retried, latest_faults={"novu_fault": faulted})
    worker = a_worker(novu=NovuObservation(last_call_at=before(1), well_since=before(10)))

    assert (assess(observed(a_listener(), worker, database=database), NOW).problems == ()) is well


def test_what_the_database_told_of_others_is_unknown_once_it_is_silent() -> None:
    silent = a_database(error="Supabase: ReadTimeout", answered_at=before(11), due=many(3))
    own = replace(a_listener(), component_id="own")

    theirs = replace(observed(database=silent), expected=("umbrella",))
    ours = replace(observed(own, a_worker(), database=silent), own_ids=frozenset({"own"}))

    assert set(assess(theirs, NOW).enterprise_status.values()) == {UNKNOWN}
    assert set(assess(ours, NOW).enterprise_status.values()) == {SubscriptionState.SUBSCRIBED}
    status = report_status(theirs, NOW).to_json()
    assert (status["unfinished"], status["waiting_rows"]) == (None, None)
    assert status["components"]["subscriptions"]["reconnecting"] == 3


def test_a_wrong_key_is_told_with_its_variable() -> None:
    refused = a_database(error="Supabase: look_at_health: HTTP 401", error_code="401", answered_at=before(20))

    assert "Hint: SUPABASE_SERVICE_ROLE_KEY is of another project, or withdrawn; xnovu doctor supabase" in first(
        observed(database=refused)
    )


@pytest.mark.parametrize(
    "away",
    [
        {"temporal": a_temporal(error="frozen", answered_at=before(11))},
        {"database": a_database(error="frozen", answered_at=before(11))},
    ],
    ids=lambda away: next(iter(away)),
)
def test_while_a_server_does_not_answer_nothing_is_ready(away: dict[str, Any]) -> None:
    assert not is_ready(observed(**away), NOW)


def test_the_cause_of_seats_that_are_lost_is_that_of_listeners_who_lost_them() -> None:
    def listener(name: str, state: SubscriptionState, error: str) -> ComponentReport:
        seats = {name: EnterpriseObservation(state=state)}
        return a_report(f"listener-{name}", listener=ListenerObservation(enterprises=seats, last_error=error))

    deaf = listener("acme", SubscriptionState.RECONNECTING, "no answer within 8 s")
    well = listener("globex", SubscriptionState.SUBSCRIBED, "long ago")

    assert first(observed(deaf, well, a_worker())).startswith("subscriptions: acme reconnecting: no answer within 8 s.")


def test_of_two_that_were_lost_one_after_the_other_the_second_stood_for_the_first() -> None:
    one, other = lost(Component.WORKER, seconds=60), lost(Component.WORKER, seconds=20)
    now_running = started(a_worker(), before(10))

    in_turn = observed(now_running, database=a_database(lost=(one, replace(other, started_at=before(50)))))
    at_once = observed(now_running, database=a_database(lost=(one, replace(other, started_at=before(70)))))

    assert Part.PROCESSES not in conditions(in_turn)
    assert conditions(at_once)[Part.PROCESSES] is Condition.DEGRADED
