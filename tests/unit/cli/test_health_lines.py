"""What `xnovu daemon health` says to people: what is wrong, what to do, and how fast it goes."""

from dataclasses import replace

from cli.health_lines import health_lines
from shared.health.assessment import report_status
from shared.health.observations import DeliveryStates, DueRows, Observations, RecentDeliveries, SubscriptionState
from tests.unit.health.builders import (
    IDLE_QUEUE,
    NOW,
    a_database,
    a_listener,
    a_novu,
    a_temporal,
    a_worker,
    before,
    observed,
)


def said(observations: Observations) -> list[str]:
    return list(health_lines(report_status(observations, NOW).to_json()))


def test_where_all_is_well_nothing_is_wrong_and_no_hint_is_given() -> None:
    assert said(observed()) == [
        "healthy: all is well",
        "",
        "up for 3600 s",
        "subscriptions: 2 total, 2 active, 0 failed, 0 reconnecting",
        "ruleEngine: healthy",
        "queue: healthy",
        "temporal: healthy",
        "orchestration workflow: RUNNING",
        "subscribed: acme, globex",
        "",
        "last 60 s: 0 sent, 0 failed",
        "reporting: 1 listener, 1 worker; busy 12 % of a core",
    ]


def test_whatever_is_wrong_comes_first_with_its_reason_and_what_to_do() -> None:
    failing = a_novu(failing_since=before(7), last_fault="HTTP 503")

    lines = said(observed(a_listener(acme=SubscriptionState.RECONNECTING), a_worker(failing)))

    assert lines[0].startswith("degraded: subscriptions: acme reconnecting. Hint: xnovu doctor realtime")
    assert lines[1] == "novu degraded: nothing but faults for 7 s: HTTP 503. Hint: xnovu doctor novu"
    assert lines[2] == ""


def test_each_cause_has_a_hint_and_what_it_brings_about_stands_under_it() -> None:
    gone = observed(
        a_listener(SubscriptionState.FAILED),
        a_worker(a_novu(failing_since=before(100), last_fault="HTTP 401"), polling=False),
        temporal=a_temporal(answered_at=before(30), error="UNAVAILABLE"),
        database=a_database(answered_at=before(30), error="HTTP 503"),
    )

    problems = said(gone)[: said(gone).index("")]

    assert problems[0] == (
        "unhealthy: supabase: no answer for 30 s: HTTP 503. How many rows wait nobody knows while the database does not"
        " answer; nothing is lost. Hint: xnovu doctor supabase"
    )
    assert [line.partition(":")[0] for line in problems[1:]] == [
        "  ruleEngine degraded",
        "temporal unhealthy",
        "queue unhealthy",
        "novu unhealthy",
    ]
    assert [" Hint: " in line for line in problems] == [not line.startswith("  ") for line in problems]


def test_what_became_of_sent_rows_is_told_where_account_is_kept() -> None:
    delivery = DeliveryStates(rows=9, states={"undelivered": 1, "delivered": 5, "accepted": 3}, unheard_seconds=61.2)

    lines = said(observed(database=a_database(delivery=delivery)))

    assert "of the latest 9 sent: 3 accepted, 5 delivered, 1 undelivered; one unheard of for 61 s" in lines


def test_slowness_is_told_where_it_is() -> None:
    waiting = {**a_temporal().task_queues, "activity": replace(IDLE_QUEUE, backlog=40)}
    recent = RecentDeliveries(seconds=60.0, sent=120, failed=3, latency_p50_seconds=2.34, latency_p95_seconds=8.9)
    slow = observed(
        temporal=a_temporal(task_queues=waiting),
        database=a_database(recent=recent, due={"acme": DueRows(rows=12, oldest_age_seconds=3.21)}),
    )

    assert said(slow)[-5:] == [
        "last 60 s: 120 sent, 3 failed; half of them 2.3 s after they were due, 95 % within 8.9 s",
        "due and not ended: 12 not taken up, 0 in a worker's hands",
        "due and not taken up: acme 12, the oldest for 3.2 s",
        "waiting for a worker: 40 activity tasks, the oldest for 0.0 s",
        "reporting: 1 listener, 1 worker; busy 12 % of a core",
    ]


def test_what_waits_in_many_enterprises_is_one_line() -> None:
    due = {f"ent{number}": DueRows(rows=5, oldest_age_seconds=20.0 + number) for number in range(40)}

    lines = said(observed(database=a_database(due=due)))

    assert lines[0].startswith(
        "degraded: queue: 40 enterprises: 200 due rows wait, the oldest for 59 s (ent39). 200 rows of 40 enterprises"
        " wait, the oldest for 59 s; nothing is lost. Hint: xnovu trace"
    )
    assert lines[1] == ""
    assert "due and not taken up: ent39 5, the oldest for 59.0 s" in lines
    assert "due and not taken up: 30 enterprises more, whose rows wait less long" in lines
    assert len(lines) < 30


def test_what_nobody_knows_is_unknown() -> None:
    lines = said(observed(database=a_database(answered_at=before(30), error="Supabase: ReadTimeout")))

    assert "due and not ended: unknown, as the database does not answer" in lines
