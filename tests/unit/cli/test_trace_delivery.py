"""What `xnovu trace` says of a row's delivery, whatever stands in its column."""

from typing import Any

import pytest

from cli.trace.delivery import EXPLANATIONS, delivery_lines
from shared.notification.delivery import DeliveryState


def test_the_state_its_cause_and_each_channels_counts_are_told() -> None:
    counts = {"sent": 3, "failed": 1, "skipped": 0, "seen": 2, "read": 1}

    lines = list(delivery_lines({"state": "partly", "cause": "no_address", "channels": {"SMS": counts, "EMAIL": {}}}))

    assert lines == [
        "delivery: partly (some have it, and for others it failed; first cause: no_address)",
        "  EMAIL: 0 sent, 0 failed, 0 skipped, 0 seen, 0 read",
        "  SMS: 3 sent, 1 failed, 0 skipped, 2 seen, 1 read",
    ]


def test_second_tries_are_told_in_their_order() -> None:
    first = {"try": 1, "at": "2026-11-28T10:00:00Z", "by": "workflow", "channels": ["EMAIL", "SMS"], "messages": 3}
    second = {"try": 2, "at": "2026-11-28T11:00:00Z", "by": "hand", "channels": None, "messages": 1}

    lines = list(
        delivery_lines(
            {
                "state": "partly",
                "attempts": [first | {"sent": 2, "failed": 1}, "theirs", second | {"refused": "expired"}],
            }
        )
    )

    assert lines[1:] == [
        "  second try 1 at 2026-11-28T10:00:00Z by workflow: 3 in EMAIL, SMS; 2 sent, 1 failed",
        "  second try 2 at 2026-11-28T11:00:00Z by hand: 1 in no channel; refused: expired",
    ]


def test_every_state_is_explained() -> None:
    assert set(EXPLANATIONS) == set(DeliveryState)


@pytest.mark.parametrize(
    ("delivery", "lines"),
    [
        (None, []),
        ([], []),
        ({}, ["delivery: None"]),
        ({"state": "theirs", "channels": ["EMAIL"]}, ["delivery: theirs"]),
        ({"state": {}, "channels": {"EMAIL": 1}}, ["delivery: {}"]),
    ],
)
def test_what_somebody_else_wrote_there_is_no_error(delivery: Any, lines: list[str]) -> None:
    assert list(delivery_lines(delivery)) == lines
