"""The ledger's own tests: whatever is wrong with a row, it says so, and of what is right nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.ledger import Arrival, Finding, Ledger, Row, Told

IN_FLIGHT_SECONDS = 30.0
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SENT = Row(
    id=1,
    enterprise_id="acme",
    workflow_key="acme-order",
    recipients=["ada", "bob"],
    status="SENT",
    token="s1-1",
    delivery_key="k1",
    transaction_id="xnovu.k1",
)
ARRIVAL = Arrival(
    at=NOW.timestamp(), workflow="acme-order", recipients=["ada", "bob"], transaction_id="xnovu.k1", token="s1-1"
)
PENDING = replace(SENT, status="PENDING", transaction_id=None)
RETRACTED = replace(SENT, status="RETRACTED", transaction_id=None)
EXPIRED = replace(SENT, status="FAILED", code="expired", deliver_before=NOW, transaction_id=None)


def findings(row: Row, *arrivals: Arrival, doubts_are_allowed: bool = False, **told: Any) -> list[Finding]:
    ledger = Ledger(
        [row], arrivals, Told(**told), doubts_are_allowed=doubts_are_allowed, in_flight_seconds=IN_FLIGHT_SECONDS
    )
    return [entry.finding for entry in ledger.entries()]


@pytest.mark.parametrize(
    ("row", "arrivals"),
    [
        (SENT, [ARRIVAL]),
        (
            SENT,
            [replace(ARRIVAL, recipients=["ada"]), replace(ARRIVAL, recipients=["bob"], transaction_id="xnovu.k1.1")],
        ),
        (replace(SENT, token=None), [replace(ARRIVAL, token=None, transaction_id="xnovu.k1.0.2")]),
        (replace(PENDING, is_active=False), []),
        (RETRACTED, []),
        (replace(RETRACTED, transaction_id="xnovu.k1", cancellation={"may_be_sent_yet": True}), [ARRIVAL]),
        (EXPIRED, []),
        (replace(SENT, status="FAILED", refuses=True, code="template_error", transaction_id=None), []),
        (replace(SENT, deliver_before=NOW - timedelta(seconds=IN_FLIGHT_SECONDS / 2)), [ARRIVAL]),
    ],
)
def test_what_is_right_is_no_finding(row: Row, arrivals: list[Arrival]) -> None:
    assert findings(row, *arrivals) == []


@pytest.mark.parametrize(
    ("row", "arrivals", "finding"),
    [
        (SENT, [], Finding.LOST),
        (SENT, [replace(ARRIVAL, recipients=["ada"])], Finding.LOST),
        (PENDING, [], Finding.LOST),
        (replace(PENDING, status="PROCESSING"), [], Finding.LOST),
        (SENT, [ARRIVAL, ARRIVAL], Finding.TWICE),
        (SENT, [ARRIVAL, replace(ARRIVAL, recipients=["bob"], transaction_id="another")], Finding.TWICE),
        (SENT, [replace(ARRIVAL, recipients=["ada", "bob", "eve"])], Finding.WRONG_PERSON),
        (SENT, [replace(ARRIVAL, workflow="globex-order")], Finding.WRONG_ENTERPRISE),
        (replace(SENT, is_active=False), [ARRIVAL], Finding.WRONG_STATE),
        (replace(SENT, refuses=True), [ARRIVAL], Finding.WRONG_STATE),
        (replace(PENDING, is_active=False), [ARRIVAL], Finding.WRONG_STATE),
        (replace(SENT, status="FAILED", code="delivery_timed_out"), [ARRIVAL], Finding.WRONG_STATE),
        (replace(SENT, status="FAILED", code="expired"), [], Finding.WRONG_STATE),
        (EXPIRED, [ARRIVAL], Finding.WRONG_STATE),
        (RETRACTED, [ARRIVAL], Finding.AFTER_RETRACTION),
        (replace(RETRACTED, transaction_id="xnovu.k1"), [], Finding.WRONG_STATE),
        (replace(SENT, deliver_before=NOW - timedelta(seconds=2 * IN_FLIGHT_SECONDS)), [ARRIVAL], Finding.AFTER_EXPIRY),
        (replace(SENT, scheduled_for=NOW + timedelta(seconds=1)), [ARRIVAL], Finding.EARLY),
    ],
)
def test_what_is_wrong_is_found_by_its_name(row: Row, arrivals: list[Arrival], finding: Finding) -> None:
    assert findings(row, *arrivals) == [finding]


def test_an_arrival_of_no_committed_row_is_somebody_elses() -> None:
    assert findings(SENT, ARRIVAL, replace(ARRIVAL, token=None, transaction_id="xnovu.k2")) == [Finding.WRONG_PERSON]


def test_twice_is_a_doubt_only_where_the_row_says_so_and_novu_heeds_no_key() -> None:
    marked = replace(SENT, doubtful_repeats=1)

    assert findings(marked, ARRIVAL, ARRIVAL, doubts_are_allowed=True) == [Finding.IN_DOUBT]
    assert findings(marked, ARRIVAL, ARRIVAL, doubts_are_allowed=False) == [Finding.TWICE]
    assert findings(SENT, ARRIVAL, ARRIVAL, doubts_are_allowed=True) == [Finding.TWICE]


def test_what_the_release_before_sent_twice_is_a_doubt() -> None:
    keyless = replace(ARRIVAL, transaction_id="xnovu.acme.1")

    assert findings(SENT, keyless, keyless) == [Finding.IN_DOUBT]


def test_what_the_writer_was_told_stays_true() -> None:
    told = {1: NOW.timestamp() - 2 * IN_FLIGHT_SECONDS}
    admitted = replace(RETRACTED, transaction_id="xnovu.k1", cancellation={"settled": False})

    assert findings(SENT, replace(ARRIVAL, at=told[1]), retracted=told) == [Finding.WRONG_STATE]
    assert findings(admitted, ARRIVAL, retracted=told) == [Finding.AFTER_RETRACTION]


def test_rules_that_do_not_fire_or_fire_twice_are_found_and_so_is_what_takes_too_long() -> None:
    assert findings(SENT, ARRIVAL, never_fired=["rule 1 at noon"]) == [Finding.LOST]
    assert findings(SENT, ARRIVAL, fired_twice=["rule 1 at noon"]) == [Finding.TWICE]
    assert findings(SENT, ARRIVAL, late=frozenset({1})) == [Finding.LATE]
    assert findings(SENT, ARRIVAL, without_a_claim={1: "taken"}) == [Finding.WITHOUT_A_CLAIM]
