"""The answers of /health and /status, field by field."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.health.assessment import assess, report_status
from shared.health.observations import (
    DueRows,
    EnterpriseObservation,
    FailedNotification,
    ListenerObservation,
    NovuObservation,
    SubscriptionState,
    WorkerObservation,
)
from shared.health.remedies import NO_WORKER
from tests.unit.health.builders import (
    NOW,
    a_database,
    a_listener,
    a_report,
    a_temporal,
    a_worker,
    before,
    observed,
)


def as_read(content: dict[str, Any]) -> Any:
    """As a caller gets it."""
    return json.loads(json.dumps(content))


def test_health_is_the_contract_to_the_letter() -> None:
    seen = observed(a_listener(acme=SubscriptionState.FAILED), a_worker())

    assert as_read(assess(seen, NOW).to_json()) == {
        "status": "degraded",
        "uptime": 3600,
        "components": {
            "subscriptions": {"total": 2, "active": 1, "failed": 1, "reconnecting": 0},
            "ruleEngine": "healthy",
            "queue": "healthy",
            "temporal": "healthy",
        },
        "enterprise_status": {"acme": "failed", "globex": "subscribed"},
        "temporal_status": {"status": "healthy", "orchestrationWorkflow": "RUNNING"},
        "summary": "subscriptions: acme failed. Hint: xnovu doctor realtime tries a subscription; sweeps bring the rows"
        " meanwhile.",
        "problems": [
            {
                "component": "subscriptions",
                "status": "degraded",
                "reason": "acme failed",
                "do": "xnovu doctor realtime tries a subscription; sweeps bring the rows meanwhile.",
                "because_of": None,
            }
        ],
        "unfinished": {
            "rows": 0,
            "waiting": 0,
            "in_hands": 0,
            "enterprises": 0,
            "oldest_age_seconds": 0.0,
            "at_least": False,
        },
    }


def test_where_all_is_well_health_has_the_contract_s_members_alone() -> None:
    assert list(assess(observed(), NOW).to_json()) == [
        "status",
        "uptime",
        "components",
        "enterprise_status",
        "temporal_status",
    ]


def test_health_and_status_tell_the_same_causes() -> None:
    """A program that asks /health, or `xnovu daemon health --json`, learns the cause as people do."""
    frozen = observed(
        a_listener(),
        a_worker(),
        temporal=a_temporal(error="Temporal: frozen", answered_at=before(28)),
        database=a_database(due={"acme": DueRows(rows=3, oldest_age_seconds=20.0)}),
    )

    health, status = as_read(assess(frozen, NOW).to_json()), as_read(report_status(frozen, NOW).to_json())

    assert (health["problems"][0]["component"], health["problems"][0]["because_of"]) == ("temporal", None)
    assert health["unfinished"]["rows"] == 3
    assert {name: status[name] for name in health} == health


def test_only_unhealthy_is_503() -> None:
    degraded = assess(observed(temporal=a_temporal(error="Temporal: UNAVAILABLE")), NOW)
    unhealthy = assess(observed(temporal=a_temporal(error="Temporal: UNAVAILABLE", answered_at=before(20))), NOW)

    assert (assess(observed(), NOW).http_status, degraded.http_status, unhealthy.http_status) == (200, 200, 503)


def test_without_supabase_or_novu_the_queue_is_unwell() -> None:
    """The contract has no line of their own for them."""
    supabase = observed(database=a_database(error="Supabase: 503", answered_at=before(20)))
    novu = observed(
        a_listener(),
        a_worker(novu=NovuObservation(last_call_at=before(1), failing_since=before(3), last_fault="HTTP 401")),
    )

    assert assess(supabase, NOW).to_json()["components"]["queue"] == "unhealthy"
    assert assess(novu, NOW).to_json()["components"]["queue"] == "degraded"


def test_temporal_that_was_never_reached_has_an_unknown_orchestration() -> None:
    report = assess(observed(temporal=a_temporal(answered_at=None, error="Temporal: UNAVAILABLE")), NOW).to_json()

    assert report["temporal_status"] == {"status": "unhealthy", "orchestrationWorkflow": "UNKNOWN"}


def test_status_begins_with_all_of_health() -> None:
    status = report_status(observed(), NOW)

    assert status.health.to_json().items() <= status.to_json().items()


def test_listeners_that_share_an_enterprise_are_added_up_and_the_latest_counts() -> None:
    def listener(name: str, seconds_ago: float, events: int) -> Any:
        enterprise = EnterpriseObservation(
            state=SubscriptionState.SUBSCRIBED,
            last_event_at=before(seconds_ago),
            last_sweep_at=before(seconds_ago * 2),
            recovered_by_sweep=1,
            events_seen=events,
            workflows_started=events - 1,
        )
        return a_report(name, listener=ListenerObservation(enterprises={"acme": enterprise}))

    seen = observed(
        listener("one", 5, 10),
        listener("two", 3, 20),
        a_worker(),
        database=a_database(due={"acme": DueRows(rows=4, oldest_age_seconds=1.26)}),
    )

    assert as_read(report_status(seen, NOW).to_json())["enterprises"]["acme"] == {
        "status": "subscribed",
        "last_event_at": "2026-03-02T08:59:57.000Z",
        "last_sweep_at": "2026-03-02T08:59:54.000Z",
        "recovered_by_sweep": 2,
        "events_seen": 30,
        "workflows_started": 28,
        "due_rows": 4,
        "oldest_due_age_seconds": 1.3,
        "cron_last_pass_at": "2026-03-02T08:59:00.000Z",
        "scheduled_last_pass_at": "2026-03-02T08:59:00.000Z",
    }


def test_what_workers_delivered_is_added_up_by_outcome() -> None:
    workers = [
        WorkerObservation(polling=True, sent=5, failed={"expired": 1}, novu=NovuObservation(accepted=6, faults=1)),
        WorkerObservation(polling=True, sent=7, failed={"expired": 2, "novu_refused": 1}),
    ]
    seen = observed(a_listener(), *(a_report(f"worker-{number}", worker=each) for number, each in enumerate(workers)))

    status = as_read(report_status(seen, NOW).to_json())

    assert status["deliveries"] == {"sent": 12, "failed": {"expired": 3, "novu_refused": 1}}
    assert status["dependencies"]["novu"] == {
        "status": "healthy",
        "accepted": 6,
        "refused": 0,
        "faults": 1,
        "last_call_at": None,
    }


def test_last_errors_are_ids_and_codes() -> None:
    failure = FailedNotification(notification_id=42, enterprise_id="acme", code="expired", failed_at=before(30))

    status = as_read(report_status(observed(database=a_database(failures=(failure,))), NOW).to_json())

    assert status["last_errors"] == [
        {"notification_id": 42, "enterprise_id": "acme", "code": "expired", "at": "2026-03-02T08:59:30.000Z"}
    ]


def test_a_failure_of_a_template_names_it() -> None:
    failure = FailedNotification(
        notification_id=42, enterprise_id="acme", code="expired", failed_at=before(30), template="order-shipped"
    )

    status = as_read(report_status(observed(database=a_database(failures=(failure,))), NOW).to_json())

    assert [each["template"] for each in status["last_errors"]] == ["order-shipped"]


def test_problems_say_why_and_what_to_do() -> None:
    status = as_read(report_status(observed(a_listener()), NOW).to_json())

    assert status["problems"] == [
        {
            "component": "queue",
            "status": "unhealthy",
            "reason": "no worker polls the task queue",
            "do": NO_WORKER,
            "because_of": None,
        }
    ]


def test_a_clock_that_ran_backwards_gives_no_negative_uptime() -> None:
    seen = observed()
    seen = replace(seen, observer=replace(seen.observer, started_at=NOW + timedelta(seconds=5)))

    assert assess(seen, NOW).to_json()["uptime"] == 0
