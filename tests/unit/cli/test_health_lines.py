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
        "healthy, up for 3600 s",
        "",
        "subscriptions: 2 total, 2 active, 0 failed, 0 reconnecting",
        "ruleEngine: healthy",
        "queue: healthy",
        "temporal: healthy",
        "orchestration workflow: RUNNING",
        "enterprise acme: subscribed",
        "enterprise globex: subscribed",
        "",
        "last 60 s: 0 sent, 0 failed",
        "reporting: 1 listener, 1 worker; busy 12 % of a core",
    ]


def test_whatever_is_wrong_comes_first_with_its_reason_and_what_to_do() -> None:
    failing = a_novu(failing_since=before(7), last_fault="HTTP 503")

    lines = said(observed(a_listener(acme=SubscriptionState.RECONNECTING), a_worker(failing)))

    assert lines[1].startswith("subscriptions degraded: acme reconnecting. Hint: xnovu doctor realtime")
    assert lines[2] == "novu degraded: nothing but faults for 7 s: HTTP 503. Hint: xnovu doctor novu"
    assert lines[3] == ""


def test_each_part_that_can_be_unwell_has_a_hint() -> None:
    gone = observed(
        a_listener(SubscriptionState.FAILED),
        a_worker(a_novu(failing_since=before(100), last_fault="HTTP 401"), polling=False),
        temporal=a_temporal(answered_at=before(30), error="UNAVAILABLE", orchestration="TERMINATED"),
        database=a_database(answered_at=before(30), error="HTTP 503"),
    )

    problems = said(gone)[1 : said(gone).index("")]

    assert [line.partition(" ")[0] for line in problems] == [
        *("subscriptions", "temporal", "supabase", "ruleEngine", "queue", "novu")
    ]
    assert all(" Hint: " in line for line in problems)


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

    assert said(slow)[-4:] == [
        "last 60 s: 120 sent, 3 failed; half of them 2.3 s after they were due, 95 % within 8.9 s",
        "due and not taken up: acme 12, the oldest for 3.2 s",
        "waiting for a worker: 40 activity tasks, the oldest for 0.0 s",
        "reporting: 1 listener, 1 worker; busy 12 % of a core",
    ]


def test_a_part_with_two_problems_is_hinted_at_once() -> None:
    due = {name: DueRows(rows=1, oldest_age_seconds=20.0) for name in ("acme", "globex")}

    lines = said(observed(database=a_database(due=due)))

    assert lines[1].startswith("queue degraded: acme: 1 due rows wait, the oldest for 20 s. Hint: xnovu trace")
    assert lines[2] == "queue degraded: globex: 1 due rows wait, the oldest for 20 s"
