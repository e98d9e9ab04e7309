"""The policy by example, and what must hold for every rule, zone and instant."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cron import CronExpression, CronSchedule, load_zone
from shared.cron.zone import zone_names
from tests.unit.cron.cases import CASES

ONE_SECOND = timedelta(seconds=1)


def schedule(expression: str, zone: str = "UTC") -> CronSchedule:
    return CronSchedule(CronExpression.parse(expression), load_zone(zone))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


def told(expression: str, zone: str, start: str, count: int) -> list[tuple[str, str | None]]:
    """Local times and notes of the firings after an instant."""
    firings = islice(schedule(expression, zone).after(utc(start)), count)
    return [(firing.local.strftime("%m-%d %H:%M%z"), firing.note) for firing in firings]


def test_a_time_in_the_gap_fires_once_at_the_first_instant_after_it() -> None:
    assert told("30 2 * * *", "America/New_York", "2026-03-07T12:00", 2) == [
        ("03-08 03:00-0400", "spring gap: nominal 02:30 does not exist"),
        ("03-09 02:30-0400", None),
    ]


def test_several_times_in_one_gap_and_the_time_at_its_end_fire_once_together() -> None:
    assert told("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", 3) == [
        ("03-29 03:00+0200", "spring gap: nominal 02:00 does not exist"),
        ("03-29 03:30+0200", None),
        ("03-30 02:00+0200", None),
    ]


def test_a_gap_at_midnight_moves_a_daily_rule_to_the_days_first_instant() -> None:
    assert told("@daily", "America/Havana", "2026-03-07T12:00", 2) == [
        ("03-08 01:00-0400", "spring gap: nominal 00:00 does not exist"),
        ("03-09 00:00-0400", None),
    ]


def test_a_day_that_a_zone_left_out_fires_once_when_the_next_begins() -> None:
    assert told("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00", 1) == [
        ("12-31 00:00+1400", "spring gap: nominal 2011-12-30 09:00 does not exist")
    ]


def test_a_time_in_the_fold_fires_once_at_its_first_occurrence() -> None:
    assert told("30 1 * * *", "America/New_York", "2026-10-31T12:00", 2) == [
        ("11-01 01:30-0400", "autumn fold: first of two"),
        ("11-02 01:30-0500", None),
    ]


def test_a_start_between_the_two_occurrences_does_not_fire_the_second() -> None:
    assert told("30 1 * * *", "America/New_York", "2026-11-01T05:45", 1) == [("11-02 01:30-0500", None)]
    assert told("30 1 * * *", "America/New_York", "2026-11-01T06:15", 1) == [("11-02 01:30-0500", None)]


def test_an_interval_goes_on_through_gap_and_fold() -> None:
    assert told("*/30 * * * *", "America/New_York", "2026-03-08T06:00", 3) == [
        ("03-08 01:30-0500", None),
        ("03-08 03:00-0400", None),
        ("03-08 03:30-0400", None),
    ]
    assert told("*/30 * * * *", "America/New_York", "2026-11-01T05:15", 4) == [
        ("11-01 01:30-0400", "autumn fold: first of two"),
        ("11-01 01:00-0500", "autumn fold: second of two"),
        ("11-01 01:30-0500", "autumn fold: second of two"),
        ("11-01 02:00-0500", None),
    ]


def test_an_interval_within_an_hour_that_is_skipped_does_not_fire_that_day() -> None:
    assert told("*/30 2 * * *", "America/New_York", "2026-03-07T12:00", 1) == [("03-09 02:00-0400", None)]


def test_firings_are_strictly_after_the_instant_also_by_a_fraction_of_a_second() -> None:
    nine = utc("2026-01-01T09:00:00")
    daily = schedule("0 9 * * *")

    assert next(daily.after(nine)).instant == nine + timedelta(days=1)
    assert next(daily.after(nine - timedelta(microseconds=1))).instant == nine
    assert next(daily.after(nine + timedelta(microseconds=1))).instant == nine + timedelta(days=1)


def test_between_leaves_out_its_start_holds_its_end_and_is_bounded() -> None:
    start, end = utc("2026-01-01T00:00"), utc("2026-01-01T03:00")
    hourly = schedule("@hourly")

    assert [firing.instant.hour for firing in hourly.between(start, end, limit=9)] == [1, 2, 3]
    assert [firing.instant.hour for firing in hourly.between(start, end, limit=2)] == [1, 2]
    assert hourly.between(end, start, limit=9) == []


def test_the_latest_of_a_month_of_seconds_are_found_without_walking_through_them() -> None:
    start = utc("2026-01-01T00:00")
    every_second_of_january = schedule("* * * * 1 *")

    with patch.object(CronExpression, "first_match", autospec=True, side_effect=CronExpression.first_match) as search:
        latest = every_second_of_january.latest_between(start, start + timedelta(days=300), limit=2)

    assert [firing.instant for firing in latest] == [utc("2026-01-31T23:59:58"), utc("2026-01-31T23:59:59")]
    assert search.call_count < 400


@pytest.mark.parametrize("expression", ["0 0 29 2 1", "0 0 * * 0#5", "59 59 23 31 12 *", "*/59 * * * * *"])
def test_the_latest_since_1970_are_found_by_few_looks(expression: str) -> None:
    rule, start, end = schedule(expression, "Antarctica/Troll"), utc("1970-01-01T00:00"), utc("2026-11-28T00:00")

    with patch.object(CronExpression, "first_match", autospec=True, side_effect=CronExpression.first_match) as search:
        latest = rule.latest_between(start, end, limit=100)

    assert search.call_count < 1_500
    assert latest == rule.between(latest[0].instant - timedelta(seconds=1), end, limit=101)
    assert len(latest) == 100 or latest[0] == next(rule.after(start))


@pytest.mark.parametrize("expression", ["0 0 1 1 *", "0 0 29 2 *", "* * 29 2 *", "0 0 * 2 0#5"])
def test_a_rare_rule_is_not_searched_minute_by_minute(expression: str) -> None:
    rare = schedule(expression, "America/New_York")

    with patch.object(CronExpression, "first_match", autospec=True, side_effect=CronExpression.first_match) as search:
        next(rare.after(utc("2028-03-01T12:00")))

    assert search.call_count < 40


def test_a_naive_instant_and_a_far_one_are_errors() -> None:
    for instant in (datetime(2026, 1, 1), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(ValueError, match=r"offset|years 1900 to 2999"):
            next(schedule("* * * * *").after(instant))


def test_firings_end_with_the_last_year() -> None:
    left = [firing.instant for firing in schedule("@hourly", "Asia/Tokyo").after(utc("2999-12-31T21:30"))]

    assert left == [utc("2999-12-31T22:00"), utc("2999-12-31T23:00")]


schedules = st.builds(
    schedule,
    st.sampled_from([*(case.text for case in CASES), "0 9 1 */3 *", "0 0 29 2 *"]),
    st.sampled_from(sorted(zone_names())),
)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@settings(deadline=None)
@given(schedules, instants)
def test_firings_strictly_increase_and_are_never_in_the_past(rule: CronSchedule, start: datetime) -> None:
    firings = [firing.instant for firing in islice(rule.after(start), 12)]

    assert all(earlier < later for earlier, later in pairwise([start, *firings]))
    assert all(firing.tzinfo is UTC and firing.microsecond == 0 for firing in firings)


@settings(deadline=None)
@given(schedules, st.lists(instants, min_size=2, max_size=6))
def test_the_first_after_an_instant_is_the_same_whatever_was_asked_before(
    rule: CronSchedule, asked: list[datetime]
) -> None:
    asked += [next(rule.after(asked[0])).instant + timedelta(seconds=offset) for offset in (-1, 0, 1)]

    assert [rule.first_after(instant) for instant in asked] == [next(rule.after(instant)) for instant in asked]


@settings(deadline=None)
@given(schedules, instants, st.data())
def test_a_restart_from_any_instant_in_between_gives_the_same_firings(
    rule: CronSchedule, start: datetime, data: st.DataObject
) -> None:
    firings = list(islice(rule.after(start), 8))
    between = data.draw(st.integers(0, int((firings[-1].instant - start).total_seconds()) - 1))
    restart = start + timedelta(seconds=between)

    left = [firing for firing in firings if firing.instant > restart]
    assert list(islice(rule.after(restart), len(left))) == left


@settings(deadline=None)
@given(schedules, instants, st.timedeltas(timedelta(0), timedelta(hours=8)), st.integers(1, 5))
def test_the_latest_between_are_the_last_of_all_between(
    rule: CronSchedule, start: datetime, span: timedelta, limit: int
) -> None:
    everything = rule.between(start, start + span, limit=30_000)

    assert rule.latest_between(start, start + span, limit) == everything[-limit:]
