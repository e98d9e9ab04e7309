from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from shared.cron import CronExpression
from worker.scheduling.rule_decision import MOST_CAUGHT_UP, RuleDecision, decide

NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def config(cron: str = "* * * * *", **fields: Any) -> dict[str, Any]:
    return {"cron": cron, **fields}


def minutes(*past_noon: float) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(minutes=number) for number in past_noon)


def decide_after(outage: timedelta, **fields: Any) -> tuple[datetime, ...]:
    """What a rule that fires every minute does at noon, its last instant decided so long ago."""
    return decide(config(**fields), NOON - outage, NOON).instants


def test_nothing_fires_before_its_time() -> None:
    decision = decide(config("0 13 * * *"), NOON - timedelta(hours=1), NOON)

    assert decision == RuleDecision((), NOON + timedelta(hours=1), None)


def test_an_instant_fires_when_it_is_reached_and_not_again() -> None:
    assert decide(config(), NOON - timedelta(minutes=1), NOON).instants == (NOON,)
    assert decide(config(), NOON, NOON + timedelta(seconds=1)).instants == ()


def test_the_zone_is_the_rule_s() -> None:
    decision = decide(config("0 9 * * *", timezone="Asia/Shanghai"), NOON, NOON)

    assert decision.next_due_at == datetime(2026, 11, 26, 1, 0, tzinfo=UTC)


def test_a_late_start_fires_every_instant() -> None:
    decision = decide(config("*/5 * * * * *"), NOON - timedelta(seconds=26), NOON)

    assert len(decision.instants) == 6


@pytest.mark.parametrize("catch_up", [None, "last"])
def test_after_an_outage_the_last_instant_fires_by_default(catch_up: str | None) -> None:
    assert decide_after(timedelta(hours=5), catch_up=catch_up) == (NOON,)


def test_after_an_outage_all_instants_fire_if_so_asked() -> None:
    assert decide_after(timedelta(minutes=3), catch_up="all") == minutes(-2, -1, 0)


def test_catching_up_on_all_is_bounded_to_the_most_recent() -> None:
    instants = decide_after(timedelta(days=400), catch_up="all")

    assert len(instants) == MOST_CAUGHT_UP
    assert instants[-1] == NOON
    assert instants[0] == NOON - timedelta(minutes=MOST_CAUGHT_UP - 1)


def test_after_an_outage_nothing_fires_if_so_asked() -> None:
    assert decide_after(timedelta(hours=5), catch_up="none") == ()


def test_a_rule_that_fires_every_second_is_not_followed_through_a_year_s_outage() -> None:
    decision = decide(config("* * * * * *"), NOON - timedelta(days=365), NOON)

    assert decision.instants == (NOON,)


def test_a_rare_rule_is_caught_up_on_too() -> None:
    decision = decide(config("0 0 1 1 *"), NOON - timedelta(days=400), NOON)

    assert decision.instants == (datetime(2026, 1, 1, tzinfo=UTC),)


def test_a_rule_that_is_not_enabled_rests() -> None:
    assert decide(config(enabled=False), NOON - timedelta(hours=1), NOON) == RuleDecision()


@pytest.mark.parametrize(
    ("trigger_config", "words"),
    [
        (None, "must be an object"),
        ("0 9 * * *", "must be an object"),
        ({}, "trigger_config.cron"),
        (config(cron=""), "trigger_config.cron"),
        (config(timezone=7), "trigger_config.timezone"),
        (config(timezone="Mars/Olympus"), "no time zone"),
        (config(enabled="yes"), "trigger_config.enabled"),
        (config(catch_up="some"), "trigger_config.catch_up"),
        (config(catch_up=["last"]), "trigger_config.catch_up"),
        (config("0 0 30 2 *"), ""),
        (config("0 0 0 1 1 * 2026"), ""),
        (config("R * * * *"), ""),
    ],
)
def test_a_rule_that_cannot_be_followed_says_why(trigger_config: object, words: str) -> None:
    decision = decide(trigger_config, NOON - timedelta(hours=1), NOON)

    assert decision.instants == ()
    assert decision.next_due_at is None
    assert decision.error
    assert words in decision.error


@pytest.mark.parametrize(
    ("member", "hint"),
    [
        ("tz", "did you mean timezone?"),
        ("timeZone", "did you mean timezone?"),
        ("time_zone", "did you mean timezone?"),
        ("expression", "did you mean cron?"),
        ("catchUp", "did you mean catch_up?"),
        ("enable", "did you mean enabled?"),
        ("colour", "Its members are cron, timezone, enabled, catch_up."),
        ("\x1b[31m" * 20, "Its members are"),
    ],
)
def test_a_member_that_nobody_reads_is_refused_by_name(member: str, hint: str) -> None:
    decision = decide(config("0 9 * * MON", **{member: "Europe/Berlin"}), NOON, NOON)

    assert decision.next_due_at is None
    assert decision.error is not None
    assert decision.error.startswith(f"trigger_config has no member {member[:40]!r}")
    assert hint in decision.error
    assert len(decision.error) < 300


def test_a_schedule_is_read_once_whether_it_is_refused_or_not() -> None:
    for cron in ("17 4 5 6 *", "17 4 31 2 *", "17 4 5 6 * * * *", "9" * 5_000):
        with patch.object(CronExpression, "parse", side_effect=CronExpression.parse) as parse:
            decisions = {decide(config(cron), NOON, NOON) for _ in range(3)}

        assert len(decisions) == 1
        assert parse.call_count == 1
        assert len(parse.call_args.args[0]) <= 201


def test_while_nothing_is_due_no_firing_is_looked_for_twice() -> None:
    yearly = config("31 4 5 6 *")
    decide(yearly, NOON, NOON)

    with patch.object(CronExpression, "first_match", side_effect=AssertionError):
        later = [decide(yearly, NOON, NOON + timedelta(days=day)).next_due_at for day in range(30)]

    assert set(later) == {datetime(2027, 6, 5, 4, 31, tzinfo=UTC)}
