"""What an event says, and what it hides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from listener.postgres_changes.change_event import MalformedChange, read_change
from shared.ports import ChangeType, RowChange, RowRetracted, RowScheduled, RuleChanged

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def an_event(**record: Any) -> dict[str, Any]:
    """An event as Realtime sends it, for a row that is to be sent at once."""
    return {
        "type": "INSERT",
        "schema": "notify",
        "table": "ent_notification",
        "commit_timestamp": "2026-11-25T11:59:59.985Z",
        "errors": None,
        "columns": [],
        "record": {
            "id": 8,
            "enterprise_id": "ent1",
            "notification_status": "PENDING",
            "publish_status": "PUBLISH",
            "deactivated": False,
            "scheduled_for": None,
            "transaction_id": None,
        }
        | record,
    }


def test_a_published_pending_row_rings() -> None:
    change = read_change(an_event(), "ent1", NOW)

    assert change == RowChange("ent1", 8, ChangeType.INSERT, datetime(2026, 11, 25, 11, 59, 59, 985000, UTC))


def test_an_update_rings_as_an_update() -> None:
    change = read_change(an_event() | {"type": "UPDATE", "old_record": {"id": 8}}, "ent1", NOW)

    assert isinstance(change, RowChange)
    assert change.change is ChangeType.UPDATE


def test_ids_keep_all_their_digits() -> None:
    change = read_change(an_event(id=9007199254740993), "ent1", NOW)

    assert isinstance(change, RowChange)
    assert change.notification_id == 9007199254740993


@pytest.mark.parametrize(
    "record",
    [
        {"notification_status": "PROCESSING"},
        {"publish_status": "DRAFT"},
        {"deactivated": True},
        {"notification_status": "RETRACTED"},
        {"publish_status": "DRAFT", "scheduled_for": "2026-11-25T12:00:00.5+00:00"},
    ],
)
def test_a_row_that_is_not_to_be_sent_does_not_ring(record: dict[str, Any]) -> None:
    assert read_change(an_event(**record), "ent1", NOW) is None


@pytest.mark.parametrize(
    "scheduled_for", ["2026-11-25T11:59:59.985400+00:00", "2026-11-25T11:00:00.12+00:00", "-infinity", "infinity"]
)
def test_a_scheduled_row_that_was_due_when_it_was_committed_rings(scheduled_for: str) -> None:
    assert isinstance(read_change(an_event(scheduled_for=scheduled_for), "ent1", NOW), RowChange)


@pytest.mark.parametrize("late_by", [timedelta(0), timedelta(hours=1)])
def test_a_row_that_was_not_due_is_the_schedulers_however_late_the_event_comes(late_by: timedelta) -> None:
    change = read_change(an_event(scheduled_for="2026-11-25T12:00:00.5+00:00"), "ent1", NOW + late_by)

    assert change == RowScheduled("ent1", datetime(2026, 11, 25, 12, 0, 0, 500000, UTC))


def test_without_a_commit_time_a_row_is_due_by_our_own_clock() -> None:
    event = an_event(scheduled_for="2026-11-25T12:00:00+00:00") | {"commit_timestamp": None}

    assert isinstance(read_change(event, "ent1", NOW), RowChange)
    assert isinstance(read_change(event, "ent1", NOW - timedelta(seconds=1)), RowScheduled)


@pytest.mark.parametrize("others", [{}, {"publish_status": "DRAFT"}, {"scheduled_for": "2027-01-01T00:00:00+00:00"}])
def test_a_row_that_was_sent_and_is_retracted_rings_whatever_else_it_says(others: dict[str, Any]) -> None:
    event = an_event(notification_status="RETRACTED", transaction_id="xnovu-1", **others) | {"type": "UPDATE"}

    assert read_change(event, "ent1", NOW) == RowRetracted("ent1", 8)


def a_rule_event(**record: Any) -> dict[str, Any]:
    return an_event() | {"table": "ent_notification_rule", "record": {"id": 3, "enterprise_id": "ent1"} | record}


def test_a_rule_that_changes_rings() -> None:
    assert read_change(a_rule_event(), "ent1", NOW) == RuleChanged("ent1")


def test_a_rule_of_another_enterprise_does_not_ring() -> None:
    with pytest.raises(MalformedChange):
        read_change(a_rule_event(enterprise_id="ent2"), "ent1", NOW)


@pytest.mark.parametrize(
    "event",
    [
        an_event() | {"errors": ["Error 413: Payload Too Large"]},
        {key: value for key, value in an_event().items() if key != "record"},
        an_event() | {"record": None},
        an_event() | {"record": {}},
        an_event() | {"type": "TRUNCATE"},
        an_event() | {"table": "somebody_elses"},
        an_event() | {"table": None},
        a_rule_event(id="3"),
        a_rule_event() | {"record": None},
        an_event(id="8"),
        an_event(id=True),
        an_event(id=0),
        an_event(deactivated="no"),
        an_event(enterprise_id=12),
        an_event(scheduled_for="soon"),
        an_event(scheduled_for="20000-01-01T00:00:00+00:00"),
        an_event(scheduled_for="0044-03-15T00:00:00+00:00 BC"),
        an_event(id=-5),
        an_event() | {"commit_timestamp": "yesterday"},
    ],
)
def test_an_event_that_cannot_be_read_may_hide_work(event: dict[str, Any]) -> None:
    with pytest.raises(MalformedChange) as raised:
        read_change(event, "ent1", NOW)

    assert raised.value.may_hide_work


@pytest.mark.parametrize("enterprise_id", [None, "ent2"])
def test_a_row_of_nobody_or_of_another_enterprise_is_not_ours(enterprise_id: str | None) -> None:
    with pytest.raises(MalformedChange) as raised:
        read_change(an_event(enterprise_id=enterprise_id), "ent1", NOW)

    assert not raised.value.may_hide_work


def test_the_reason_names_the_places_and_never_the_values() -> None:
    with pytest.raises(MalformedChange) as raised:
        read_change(an_event(id="secret", deactivated="secret"), "ent1", NOW)

    assert "record.id: int_type" in raised.value.reason
    assert "secret" not in raised.value.reason


@pytest.mark.parametrize(("column", "priority"), [(None, 3), (1, 1), (5, 5), (0, 3), (32767, 3)])
def test_a_row_rings_with_its_priority(column: int | None, priority: int) -> None:
    change = read_change(an_event(delivery_priority=column), "ent1", NOW)

    assert isinstance(change, RowChange)
    assert change.priority == priority
