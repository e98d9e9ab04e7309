"""Where a notification stands, for every way it can stand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.operator_store import NotificationTrace
from cli.orchestration_report import OrchestrationCondition, OrchestrationReport
from cli.trace.processing import PendingAttempt, Processing, TemporalView
from cli.trace.standing import stand, transaction_ids, waits_to_be_taken_up
from shared.notification.outcomes import RefusalCode
from shared.temporal.messages import OrchestrationState, SchedulerStatus

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

SERVES_ACME = OrchestrationReport(
    OrchestrationCondition.RUNNING,
    observed=OrchestrationState("running", [SchedulerStatus("cron-scheduling/acme", "running")]),
)
WAITING = OrchestrationReport(OrchestrationCondition.WAITING, reason="no worker polls the task queue")
AWAY = TemporalView(unreachable="Temporal at nowhere: refused")
FAILED_ONCE = PendingAttempt("deliver_notifications", False, 2, "Novu: HTTP 503", NOW + SECOND, None)
RUNS = PendingAttempt("deliver_notifications", True, 1, None, None, "1@host")
QUEUED = PendingAttempt("deliver_notifications", False, 1, None, None, None)


def row(**changes: Any) -> NotificationTrace:
    """A row of acme, due for ten seconds, with these changes."""
    facts: dict[str, Any] = {
        **dict.fromkeys(NotificationTrace.__dataclass_fields__),
        "now": NOW,
        "id": 42,
        "enterprise_id": "acme",
        "status": "PENDING",
        "publish_status": "PUBLISH",
        "deactivated": False,
        "created_at": NOW - 10 * SECOND,
        "updated_at": NOW - 10 * SECOND,
        "attempts": 0,
        "chunks_sent": 0,
        "recipient_count": 1,
        "error_details": {},
        "workflow_usable": True,
    }
    return NotificationTrace(**{**facts, **changes})


def working(pending: PendingAttempt | None, status: str = "running") -> TemporalView:
    return TemporalView(Processing("notification-processing/acme/42", "run", status, NOW, None, pending))


CLAIMED = {"status": "PROCESSING", "claim_owner": "notification-processing/acme/42"}
HELD = {**CLAIMED, "lease_expires_at": NOW + HOUR}


@pytest.mark.parametrize(
    ("facts", "temporal", "orchestration", "state", "needs_attention"),
    [
        ({"status": "SENT", "transaction_id": "xnovu.acme.42"}, TemporalView(), None, "sent", False),
        ({"status": "SENT", "delivery": {"state": "accepted"}}, TemporalView(), None, "sent", False),
        ({"status": "SENT", "delivery": {"state": "delivered"}}, TemporalView(), None, "sent", False),
        ({"status": "SENT", "delivery": {"state": "unknown"}}, TemporalView(), None, "sent", False),
        ({"status": "SENT", "delivery": {"state": "partly"}}, TemporalView(), None, "sent", True),
        ({"status": "SENT", "delivery": {"state": "undelivered"}}, TemporalView(), None, "sent", True),
        ({"status": "SENT", "delivery": ["of somebody else's"]}, TemporalView(), None, "sent", False),
        (
            {"status": "FAILED", "error_details": {"code": "expired", "message": "m"}},
            TemporalView(),
            None,
            "failed",
            True,
        ),
        ({"status": "FAILED"}, TemporalView(), None, "failed", True),
        ({"status": "RETRACTED"}, TemporalView(), None, "retracted", False),
        ({"status": "RETRACTED", "transaction_id": "t"}, TemporalView(), None, "cancelling", False),
        ({"status": "PROCESSING", "in_doubt_since": NOW}, TemporalView(), None, "in_doubt", False),
        ({**HELD, "in_doubt_since": NOW, "claim_owner": None}, AWAY, None, "in_doubt", False),
        ({"status": "RETRACTED", "transaction_id": "t", "cancellation": {}}, TemporalView(), None, "retracted", False),
        (HELD, working(RUNS), None, "processing", False),
        (HELD, working(FAILED_ONCE), None, "retrying", True),
        (HELD, TemporalView(), None, "held", False),
        (HELD, AWAY, None, "unknown", True),
        ({**CLAIMED, "lease_expires_at": NOW - SECOND}, TemporalView(), None, "abandoned", True),
        (CLAIMED, working(None, "terminated"), None, "abandoned", True),
        ({"enterprise_id": None}, TemporalView(), None, "nobodys", True),
        ({"publish_status": "DRAFT"}, TemporalView(), None, "not_published", True),
        ({"deactivated": True}, TemporalView(), None, "not_published", True),
        ({"scheduled_for": NOW + HOUR}, TemporalView(), None, "scheduled", False),
        ({}, working(QUEUED), None, "queued", False),
        ({}, working(RUNS), None, "queued", False),
        ({}, working(FAILED_ONCE), None, "retrying", True),
        ({}, AWAY, None, "not_taken_up", True),
        ({}, TemporalView(), WAITING, "not_taken_up", True),
        ({}, TemporalView(), SERVES_ACME, "due", False),
        ({"enterprise_id": "globex"}, TemporalView(), SERVES_ACME, "not_served", True),
        ({"updated_at": NOW - HOUR}, TemporalView(), SERVES_ACME, "not_taken_up", True),
        ({"updated_at": NOW - HOUR, "scheduled_for": NOW - SECOND}, TemporalView(), SERVES_ACME, "due", False),
    ],
)
def test_every_way_to_stand_has_its_word(
    facts: dict[str, Any],
    temporal: TemporalView,
    orchestration: OrchestrationReport | None,
    state: str,
    needs_attention: bool,
) -> None:
    standing = stand(row(**facts), temporal, orchestration)

    assert (standing.state, standing.needs_attention) == (state, needs_attention)
    assert standing.hint is not None or not needs_attention


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_leads_to_its_line_in_the_documents_and_to_the_replay(code: RefusalCode) -> None:
    details = {"code": code.value, "message": "why", "line": 3, "attempts": 1}

    standing = stand(row(status="FAILED", error_details=details), TemporalView(), None)

    assert standing.explanation == f"{code}: why (line 3)"
    assert standing.hint is not None
    assert "docs/error_codes.md" in standing.hint
    assert f"--code {code}" in standing.hint


def test_the_last_failure_and_the_next_attempt_are_told() -> None:
    explanation = stand(row(**HELD), working(FAILED_ONCE), None).explanation

    assert "Novu: HTTP 503" in explanation
    assert "2026-03-02T12:00:01Z" in explanation


@pytest.mark.parametrize(
    ("facts", "ids"),
    [
        ({}, []),
        ({"transaction_id": "xnovu.acme.42"}, ["xnovu.acme.42"]),
        (
            {"transaction_id": "xnovu.acme.42", "recipient_count": 201},
            ["xnovu.acme.42", "xnovu.acme.42.1", "xnovu.acme.42.2"],
        ),
        ({"transaction_base": "xnovu.k"}, []),
        ({"transaction_base": "xnovu.k", "chunks_sent": 1, "recipient_count": 101}, ["xnovu.k", "xnovu.k.1"]),
        ({"transaction_base": "xnovu.k", "in_doubt_since": NOW}, ["xnovu.k"]),
        ({"transaction_id": "of another system"}, ["of another system"]),
    ],
)
def test_a_transaction_id_is_named_for_each_chunk_that_novu_may_have(facts: dict[str, Any], ids: list[str]) -> None:
    assert transaction_ids(row(**facts)) == ids


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        ({}, True),
        ({"status": "SENT"}, False),
        ({"scheduled_for": NOW + SECOND}, False),
        ({"deactivated": True}, False),
        ({"enterprise_id": None}, False),
        (HELD, False),
        (CLAIMED, True),
    ],
)
def test_a_row_waits_to_be_taken_up_when_it_is_due_and_free(facts: dict[str, Any], waits: bool) -> None:
    assert waits_to_be_taken_up(row(**facts)) is waits


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        ({"deliver_before": NOW - SECOND}, "past its deliver_before: move that first"),
        ({"publish_status": "DRAFT"}, "unpublished or deactivated: publish it first"),
    ],
)
def test_a_replay_is_not_hinted_at_where_it_would_leave_the_row_out(facts: dict[str, Any], first: str) -> None:
    failed = {"status": "FAILED", "error_details": {"code": "expired", "message": "m"}, **facts}

    hint = stand(row(**failed), TemporalView(), None).hint

    assert hint is not None
    assert first in hint
    assert hint.endswith("Then: xnovu replay --id 42")
