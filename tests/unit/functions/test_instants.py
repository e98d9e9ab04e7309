"""`scheduledFor` as programs write it: RFC 3339, with all the freedom that it gives."""

from datetime import UTC, datetime

import pytest

from functions.problems import Problem
from functions.trigger_request import CreateAndSend, parse_trigger_request

BODY = {"enterpriseId": "ent1", "workflowKey": "order", "recipients": ["ada"], "payload": {}}


def read(instant: str) -> datetime | None:
    request = parse_trigger_request({**BODY, "scheduledFor": instant})
    assert isinstance(request, CreateAndSend)
    return request.scheduled_for


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2027-03-01T09:00:00Z", 0),
        ("2027-03-01t09:00:00z", 0),
        ("2027-03-01T09:00:00.5Z", 500_000),
        ("2027-03-01T09:00:00.1234567Z", 123_456),
        ("2027-03-01T10:00:00.123456789+01:00", 123_456),
        ("2027-03-01T09:00:00.999999999z", 999_999),
        ("2027-03-01T03:30:00-05:30", 0),
    ],
)
def test_what_dotnet_go_and_javascript_write_is_read(text: str, microsecond: int) -> None:
    assert read(text) == datetime(2027, 3, 1, 9, 0, 0, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("2027-03-01T09:00:00", "2027-03-01 09:00:00Z", "2027-03-01T09:00:00.Z", "2027-03-01T09:00:00.1234567890Z"),
        *("2027-03-01T09:00Z", "2027-03-01T25:00:00Z", "٢٠٢٧-03-01T09:00:00Z", "2027-03-01T09:00:00Z\n"),
    ],
)
def test_what_is_no_instant_is_refused_by_name(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read(text)

    assert refused.value.members["errors"][0]["member"] == "scheduledFor"
