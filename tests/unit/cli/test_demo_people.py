"""The demo's second table fails where people got something else than was for them."""

import pytest

from cli.demo import kinds
from cli.demo.kinds import Ledger
from cli.demo.people import Outcome, judge_people


def _ledger() -> Ledger:
    ledger = Ledger()
    ledger.add(kinds.ONE_CHANNEL, "acme", [1, 2], 0.0)
    ledger.add(kinds.NO_PHONE, "acme", [3], 0.0)
    return ledger


RIGHT = (
    Outcome("ada", "email", {"sent": 1}),
    Outcome("ada", "email", {"sent": 1}),
    Outcome("ada", "sms", {"skipped": 2}),
    Outcome("grace", "email", {"sent": 1}),
    Outcome("grace", "sms", {"warning": 1}),
)

ACCOUNTED = {"email": 3}


def test_what_was_for_them_is_what_they_got() -> None:
    verdicts = {verdict.channel: verdict for verdict in judge_people(_ledger(), RIGHT, ACCOUNTED)}

    assert all(verdict.holds for verdict in verdicts.values())
    assert (verdicts["email"].people, verdicts["email"].sent, verdicts["sms"].no_address) == (2, 3, 1)


@pytest.mark.parametrize(
    ("channel", "changed"),
    [
        pytest.param("email", RIGHT[1:], id="one got nothing"),
        pytest.param("email", (Outcome("ada", "email", {"sent": 2}), *RIGHT[2:]), id="one got it twice"),
        pytest.param("email", (*RIGHT, Outcome("grace", "email", {"sent": 1})), id="one got one more"),
        pytest.param("push", (*RIGHT, Outcome("ada", "push", {"sent": 1})), id="in a channel that the row lacks"),
        pytest.param("email", (*RIGHT, Outcome("ada", "email", {"error": 1})), id="a provider failed"),
        pytest.param("sms", RIGHT[:-1], id="nobody lacked an address"),
    ],
)
def test_anything_else_shows(channel: str, changed: tuple[Outcome, ...]) -> None:
    wrong = [verdict.channel for verdict in judge_people(_ledger(), changed, ACCOUNTED) if not verdict.holds]

    assert wrong == [channel]


def test_rows_that_say_something_else_show() -> None:
    wrong = [verdict.channel for verdict in judge_people(_ledger(), RIGHT, {"email": 2}) if not verdict.holds]

    assert wrong == ["email"]
