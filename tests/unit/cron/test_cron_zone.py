"""Zones by name, from the pinned package."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cron import CronRefusalCode, CronRefused, load_zone
from shared.cron.stretches import stretches_from
from shared.cron.zone import zone_names
from tests.unit.cron.real_time import END, FIRST


@pytest.mark.parametrize(
    ("name", "part_of_message"),
    [
        ("europe/berlin", "Did you mean `Europe/Berlin`?"),
        ("America/New York", "Did you mean `America/New_York`?"),
        ("Berlin", "Did you mean `Europe/Berlin`?"),
        ("new york", "Did you mean `America/New_York`?"),
        ("Europe/Tokyo", "Did you mean `Asia/Tokyo`?"),
        ("Europe/Belrin", "Did you mean `Europe/Berlin`?"),
        ("America/Los_Angelos", "Did you mean `America/Los_Angeles`?"),
        ("GMT+3", "A fixed offset is `Etc/GMT-3`: there the sign is turned round."),
        ("UTC -05:00", "A fixed offset is `Etc/GMT+5`"),
        ("Asia/Mumbai", "`Asia/Mumbai`. Names are IANA's"),
        ("AEST", "`AEST`. Names are IANA's"),
        ("Europe/Bern", "`Europe/Bern`. Names are IANA's"),
        ("GMT+5:30", "`GMT+5:30`. Names are IANA's"),
        ("GMT+33", "`GMT+33`. Names are IANA's"),
        ("Factory", "no time zone `Factory`"),
        ("", "no time zone ``"),
        ("../../etc/passwd", "no time zone"),
        ("/usr/share/zoneinfo/UTC", "no time zone"),
        ("x" * 10_000, "no time zone"),
        (None, "of type NoneType"),
        (1, "of type int"),
        ([], "of type list"),
    ],
)
def test_an_unknown_zone_is_refused_with_a_hint(name: object, part_of_message: str) -> None:
    with pytest.raises(CronRefused) as refused:
        load_zone(name)

    assert refused.value.code is CronRefusalCode.UNKNOWN_ZONE
    assert part_of_message in refused.value.message
    assert len(refused.value.message) < 200


def test_every_name_of_the_list_is_a_zone_of_that_name() -> None:
    assert {load_zone(name).key for name in zone_names()} == zone_names()


def test_the_systems_zones_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the system's zone files were asked")

    monkeypatch.setattr("zoneinfo._common.load_tzdata", refuse)
    monkeypatch.setattr("zoneinfo._tzpath.find_tzfile", refuse)

    assert datetime(2026, 7, 1, tzinfo=load_zone("Antarctica/Troll")).utcoffset() == timedelta(hours=2)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(zone_names())).map(load_zone),
    st.datetimes(FIRST.replace(tzinfo=None), END.replace(tzinfo=None), timezones=st.just(UTC)),
)
def test_the_stretches_cover_time_without_a_hole_and_with_the_right_offset(zone: ZoneInfo, instant: datetime) -> None:
    instant = instant.replace(microsecond=0)
    stretches = [stretch for stretch, _ in zip(stretches_from(zone, instant), range(6), strict=False)]

    assert stretches[0].start <= instant < stretches[0].end
    for earlier, later in pairwise(stretches):
        assert earlier.end == later.start
        assert earlier.offset == later.offset_before
    for stretch in stretches:
        for moment in (stretch.start, stretch.end - timedelta(seconds=1)):
            assert moment.astimezone(zone).utcoffset() == stretch.offset
