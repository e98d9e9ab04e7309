"""Spans: begun at the commit, silent about what an error says, and named in the log."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from listener.batcher import Batch
from listener.tracing import handing_over
from listener.workflows import Work
from shared import json_logs
from shared.telemetry import google_cloud
from shared.telemetry.commit_time import carrying, seconds_since_commit
from shared.telemetry.tracing import span
from shared.temporal.messages import Portion
from tests.unit.telemetry.conftest import Recorded

PERSON = "zanzibar@example.org"
"""Letters beyond f: no id in hexadecimal digits spells it by chance."""

A_MINUTE_AGO = datetime.now(UTC) - timedelta(minutes=1)


def test_the_trace_of_a_batch_begins_with_its_earliest_commit_and_names_its_rows(recorded: Recorded) -> None:
    with handing_over(Batch(Work.PROCESSING, (Portion("ent1", [7, 8]),), A_MINUTE_AGO)):
        pass

    found = recorded.spans()["xnovu.hand_over"]
    assert found.parent is None
    assert found.start_time == int(A_MINUTE_AGO.timestamp() * 1e9)
    assert found.attributes == {
        "xnovu.enterprise.id": "ent1",
        "xnovu.notification.ids": (7, 8),
        "xnovu.notification.count": 2,
        "xnovu.work": "processing",
        "xnovu.found_by": "change",
    }


def test_a_batch_that_several_share_names_all_of_them_and_all_rows(recorded: Recorded) -> None:
    portions = (Portion("ent1", list(range(150))), Portion("ent2", [200]))
    with handing_over(Batch(Work.PROCESSING, portions)):
        pass

    attributes = recorded.spans()["xnovu.hand_over"].attributes or {}
    assert attributes["xnovu.enterprise.ids"] == ("ent1", "ent2")
    assert attributes["xnovu.notification.ids"] == (*range(150), 200)
    assert (attributes["xnovu.notification.count"], attributes["xnovu.found_by"]) == (151, "sweep")


def test_a_span_keeps_the_type_of_an_error_and_not_its_text(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match=PERSON), span("failing"):
        raise ValueError(f"no such person: {PERSON}")

    found = recorded.spans()["failing"]
    assert found.status.status_code is StatusCode.ERROR
    assert found.attributes == {"error.type": "ValueError"}
    assert PERSON not in found.to_json()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"KeyError: '{PERSON}'", "KeyError"),
        (f"postgrest.exceptions.APIError: {PERSON}", "postgrest.exceptions.APIError"),
        (PERSON, None),
        (f"{PERSON}: is unknown", None),
    ],
)
def test_what_a_library_says_of_an_error_is_dropped_as_well(recorded: Recorded, said: str, kept: str | None) -> None:
    failed = trace.get_tracer("library").start_span("of a library")
    failed.record_exception(KeyError(PERSON))
    failed.set_status(Status(StatusCode.ERROR, said))
    failed.end()

    found = recorded.spans()["of a library"]
    assert found.status.description == kept
    assert found.events == ()
    assert PERSON not in found.to_json()


def test_the_commit_time_travels_with_the_context_and_ends_with_it() -> None:
    committed_at = datetime.now(UTC) - timedelta(minutes=1)
    with carrying(committed_at):
        inside = seconds_since_commit()
    at_most = (datetime.now(UTC) - committed_at).total_seconds()
    with carrying(datetime.now(UTC) + timedelta(hours=1)):
        of_a_fast_clock = seconds_since_commit()

    assert inside is not None
    assert 60 <= inside <= at_most
    assert of_a_fast_clock == 0
    assert seconds_since_commit() is None


async def test_batches_side_by_side_do_not_share_their_trace(recorded: Recorded) -> None:
    async def hand_over(notification_id: int) -> int:
        with handing_over(Batch(Work.PROCESSING, (Portion("ent1", [notification_id]),), A_MINUTE_AGO)):
            await asyncio.sleep(0)
            return trace.get_current_span().get_span_context().trace_id

    assert len({*await asyncio.gather(hand_over(1), hand_over(2))}) == 2


def a_line(level: int = logging.WARNING) -> dict[str, Any]:
    """What the log makes of an event."""
    line: dict[str, Any] = json.loads(
        json_logs.Formatter().format(logging.LogRecord("TemporalService", level, "", 0, "happened", (), None))
    )
    return line


def test_a_line_within_a_span_names_it(recorded: Recorded) -> None:
    with span("around") as current:
        context = current.get_span_context()
        within = a_line()
    without = a_line()

    assert within["trace_id"] == f"{context.trace_id:032x}"
    assert within["span_id"] == f"{context.span_id:016x}"
    assert "severity" not in within
    assert without.keys() == {"level", "timestamp", "component", "event"}


def test_on_google_cloud_a_line_has_the_fields_its_log_viewer_reads(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K_SERVICE", "status")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "notifications")
    google_cloud.project_id.cache_clear()
    try:
        with span("around") as current:
            context = current.get_span_context()
            line = a_line()
    finally:
        monkeypatch.undo()
        google_cloud.project_id.cache_clear()

    assert (line["severity"], line["level"]) == ("WARNING", "warn")
    assert line["logging.googleapis.com/trace"] == f"projects/notifications/traces/{context.trace_id:032x}"
    assert line["logging.googleapis.com/spanId"] == f"{context.span_id:016x}"
    assert line["logging.googleapis.com/trace_sampled"] is True


def test_a_sentence_of_temporal_s_sdk_becomes_an_event_with_fields() -> None:
    record = logging.LogRecord("temporalio.activity", logging.WARNING, "", 0, "Completing activity as failed", (), None)
    record.temporal_activity = {"workflow_id": "notification-processing/acme/1", "attempt": 2, "namespace": "default"}

    line = json.loads(json_logs.Formatter().format(record))

    del line["timestamp"]
    assert line == {
        "level": "warn",
        "component": "temporalio.activity",
        "event": "temporal_sdk",
        "what": "Completing activity as failed",
        "workflow_id": "notification-processing/acme/1",
        "attempt": 2,
    }
