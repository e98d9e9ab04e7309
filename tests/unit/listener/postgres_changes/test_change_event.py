"""What an event says, and what it hides."""

from datetime import UTC, datetime
from typing import Any

import pytest

from listener.postgres_changes.change_event import MalformedChange, read_change
from shared.ports import ChangeType, RowChange

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
        }
        | record,
    }


def test_a_published_pending_row_rings() -> None:
    change = read_change(an_event(), "ent1", NOW)

    assert change == RowChange("ent1", 8, ChangeType.INSERT, datetime(2026, 11, 25, 11, 59, 59, 985000, UTC))


def test_an_update_rings_as_an_update() -> None:
    change = read_change(an_event() | {"type": "UPDATE", "old_record": {"id": 8}}, "ent1", NOW)

    assert change is not None
    assert change.change is ChangeType.UPDATE


def test_ids_keep_all_their_digits() -> None:
    change = read_change(an_event(id=9007199254740993), "ent1", NOW)

    assert change is not None
    assert change.notification_id == 9007199254740993


@pytest.mark.parametrize(
    "record",
    [
        {"notification_status": "PROCESSING"},
        {"publish_status": "DRAFT"},
        {"deactivated": True},
        {"scheduled_for": "2026-11-25T12:00:00.5+00:00"},
        {"scheduled_for": "infinity"},
    ],
)
def test_a_row_that_is_not_to_be_sent_now_does_not_ring(record: dict[str, Any]) -> None:
    assert read_change(an_event(**record), "ent1", NOW) is None


@pytest.mark.parametrize("scheduled_for", ["2026-11-25T12:00:00+00:00", "2026-11-25T11:00:00.12+00:00", "-infinity"])
def test_a_scheduled_row_that_is_due_rings(scheduled_for: str) -> None:
    assert read_change(an_event(scheduled_for=scheduled_for), "ent1", NOW) is not None


@pytest.mark.parametrize(
    "event",
    [
        an_event() | {"errors": ["Error 413: Payload Too Large"]},
        {key: value for key, value in an_event().items() if key != "record"},
        an_event() | {"record": None},
        an_event() | {"record": {}},
        an_event() | {"type": "TRUNCATE"},
        an_event(id="8"),
        an_event(id=True),
        an_event(id=0),
        an_event(deactivated="no"),
        an_event(enterprise_id=12),
        an_event(scheduled_for="soon"),
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
