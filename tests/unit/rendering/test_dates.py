from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import Channel
from tests.unit.rendering.builders import render
from worker.rendering.date_format import format_moment


def dated(moment: object, pattern: str) -> str:
    return render(f"[{{{{ value | date: '{pattern}' }}}}]", {"value": moment}, channel=Channel.PUSH).body[1:-1]


@pytest.mark.parametrize(
    ("moment", "pattern", "text"),
    [
        ("2026-03-04T05:06:07Z", "%Y-%m-%d %H:%M:%S %z", "2026-03-04 05:06:07 +0000"),
        ("2026-03-04", "%-d %B %Y", "4 March 2026"),
        ("March 14, 2026", "%d.%m.%y", "14.03.26"),
        (0, "%Y-%m-%d %H:%M", "1970-01-01 00:00"),
        (1700000000.25, "%s.%L", "1700000000.250"),
        ("86400", "%d", "02"),
        ("2026-03-04T00:00:00+02:00", "%s", "1772575200"),
        ("2026-03-04", "%s", "1772582400"),
        ("2026-03-04 10:00 EST", "%H:%M %z", "10:00 -0500"),
        ("2026-03-04 10:00 CET", "%H:%M %z", "10:00 +0000"),
        ("Wed, 04 Mar 2026 10:00:00 GMT", "%FT%T%:z", "2026-03-04T10:00:00+00:00"),
        ("2026-03-04t05:06:07.123456789z", "%H:%M:%S.%L", "05:06:07.123"),
    ],
)
def test_dates_are_the_same_on_every_machine(moment: object, pattern: str, text: str) -> None:
    assert dated(moment, pattern) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("not a date", "not a date"),
        ("March 14", "March 14"),
        ("monday", "monday"),
        ("9" * 5000, "9" * 5000),
        (10**30, "1" + "0" * 30),
        (None, ""),
        (True, "true"),
        ([1, 2], "12"),
        ({"a": 1}, '{"a": 1}'),
        ("", ""),
    ],
)
def test_what_is_no_date_comes_back_as_it_is_written_without_the_filter(moment: object, text: str) -> None:
    assert dated(moment, "%Y") == text


@pytest.mark.parametrize("pattern", ["", "nil"])
def test_without_a_format_a_date_comes_back_unchanged(pattern: str) -> None:
    argument = pattern or "''"

    assert render(f"{{{{ value | date: {argument} }}}}", {"value": "2026-03-04"}).body == "2026-03-04"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("1.2.2024", "2024-02-01"),
        ("13.12.2024", "2024-12-13"),
        ("12.13.2024", "12.13.2024"),
        ("1-2-2024 10:30", "2024-02-01"),
        ("1/2/2024", "2024-01-02"),
        ("12/13/2024", "2024-12-13"),
        ("13/12/2024", "13/12/2024"),
        ("2024.12.13", "2024-12-13"),
        ("2024/1/2", "2024-01-02"),
        ("1.2.24", "1.2.24"),
        ("01/02/03", "01/02/03"),
    ],
)
def test_a_numeric_date_has_one_order_or_is_unchanged(moment: str, text: str) -> None:
    assert dated(moment, "%Y-%m-%d") == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%Y %C %y %G %g %-y", "2026 20 26 2026 26 26"),
        ("%m %-m %_m %B %^B %b %^b %h", "03 3  3 March MARCH Mar MAR Mar"),
        ("%d %-d %e %j %-j", "04 4  4 063 63"),
        ("%H %I %k %l %-I %P %p %#p", "15 03 15  3 3 pm PM pm"),
        ("%M %S %L %3N %6N %N %s", "06 07 089 089 089012 089012000 1772640367"),
        ("%z %:z %::z %Z|", "-0100 -01:00 -01:00:00 |"),
        ("%A %a %^a %u %w %U %W %V", "Wednesday Wed WED 3 3 09 09 10"),
        ("%D|%F|%v|%T|%R|%r", "03/04/26|2026-03-04| 4-MAR-2026|15:06:07|15:06|03:06:07 PM"),
        ("%c|%x|%X|%+", "Wed Mar  4 15:06:07 2026|03/04/26|15:06:07|Wed Mar  4 15:06:07  2026"),
        ("%10Y|%010e|%-5d|%12A|%%|%n|%t|", "0000002026|0000000004|4|   Wednesday|%|\n|\t|"),
        ("%Q %E %", "%Q %E %"),
    ],
)
def test_patterns_are_those_of_ruby(pattern: str, text: str) -> None:
    assert dated("2026-03-04T15:06:07.089012-01:00", pattern) == text


@pytest.mark.parametrize(("year", "text"), [("0099", "0099-00-99"), ("9999", "9999-99-99")])
def test_years_are_four_digits_wide(year: str, text: str) -> None:
    assert dated(f"{year}-01-02", "%Y-%C-%y") == text


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_where_ruby_and_c_agree_so_do_we(moment: datetime) -> None:
    pattern = "%Y %m %d %H %I %M %S %j %a %A %b %B %p %y %U %W %u %w %G %V %e %g %C %z %%"

    assert format_moment(moment, pattern) == moment.strftime(pattern)
