"""Every change of clocks of every IANA zone, 2025 to 2035, for every case: firings against two oracles."""

from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim

from shared.cron import CronExpression, CronSchedule, load_zone
from shared.cron.zone import zone_names
from tests.unit.cron.cases import CASES, Case
from tests.unit.cron.real_time import Change, every_change, expected_firings, window

ONE_SECOND = timedelta(seconds=1)

LONGEST = ("* * * * *", "*/20 */10 * * * *", "5,35 * * * SUN")
"""A third of all cases' time."""

each_case = pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])


def firings(change: Change, case: Case) -> list[datetime]:
    first, last = window(change, case)
    schedule = CronSchedule(CronExpression.parse(case.text), change.zone)
    return [firing.instant for firing in schedule.between(first - ONE_SECOND, last, limit=1_000)]


def cronsim_firings(change: Change, case: Case) -> list[datetime]:
    first, last = window(change, case)
    simulated = []
    for local in CronSim(case.text, (first - ONE_SECOND).astimezone(change.zone)):
        if local.astimezone(UTC) > last:
            break
        simulated.append(local.astimezone(UTC))
    return simulated


def described(change: Change) -> str:
    return f"{change.zone.key} {change.instant:%Y-%m-%d %H:%M}Z {change.before} -> {change.after}"


def cronsim_deviates(change: Change, case: Case) -> bool:
    """Where cronsim does something else than the policy, on purpose or not.

    - With 6 fields it compares wall clocks only: Debian's cron has no seconds, so its rules for times of day are not
      applied. A time in a gap is lost, one in a fold comes twice.
    - It walks interval-like rules in whole hours, and so steps over half an hour where clocks go back by half an hour.
    """
    if len(case.text.split()) == 6 and not case.is_interval_like:
        return change.before != change.after
    return case.is_interval_like and change.after - change.before == timedelta(minutes=-30)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.text, marks=[pytest.mark.whole] if case.text in LONGEST else []) for case in CASES],
)
def test_every_change_of_clocks_fires_as_the_policy_and_cronsim_say(case: Case) -> None:
    wrong = {}
    for change in every_change():
        expected = expected_firings(change, case)
        if (found := firings(change, case)) != expected:
            wrong[described(change)] = (found, expected)
        if not cronsim_deviates(change, case) and (simulated := cronsim_firings(change, case)) != expected:
            wrong[f"cronsim, {described(change)}"] = (simulated, expected)

    assert wrong == {}


def test_cronsim_loses_a_time_with_seconds_in_a_gap_where_we_fire_once() -> None:
    case = Case("15 30 2 * * *", lambda wall: (wall.hour, wall.minute) == (2, 30), seconds=(15,))
    new_york, before, after = load_zone("America/New_York"), timedelta(hours=-5), timedelta(hours=-4)
    gap = Change(new_york, datetime(2026, 3, 8, 7, tzinfo=UTC), before, after)

    assert cronsim_firings(gap, case) == []
    assert firings(gap, case) == expected_firings(gap, case) == [gap.instant]


@each_case
def test_the_kind_of_rule_is_told_from_its_minute_and_hour(case: Case) -> None:
    assert CronExpression.parse(case.text).is_interval_like == case.is_interval_like


def test_the_changes_tested_are_many_and_on_whole_minutes() -> None:
    changes = every_change()

    assert len(zone_names()) > 590
    assert sum(change.before != change.after for change in changes) > 600
    assert all(change.instant.second == 0 and change.before.seconds % 60 == 0 for change in changes)
