"""The accepted language: what is refused, with which words, and that all that is accepted means the same to cronsim."""

import re
from datetime import datetime

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.cron import CronExpression, CronRefusalCode, CronRefused
from shared.cron.fields import FIELD_KINDS, FieldKind

START = datetime(2026, 1, 1)


def refusal(text: object) -> CronRefused:
    with pytest.raises(CronRefused) as refused:
        CronExpression.parse(text)
    return refused.value


@pytest.mark.parametrize(
    ("text", "code", "part_of_message"),
    [
        (None, CronRefusalCode.NOT_TEXT, "is text"),
        (5, CronRefusalCode.NOT_TEXT, "is text"),
        (["*"] * 5, CronRefusalCode.NOT_TEXT, "is text"),
        ("0 0 * * " + ",".join(["1"] * 100), CronRefusalCode.TOO_LONG, "200 characters"),
        ("", CronRefusalCode.FIELD_COUNT, "has 0"),
        ("* * * *", CronRefusalCode.FIELD_COUNT, "has 4"),
        ("0 0 0 1 1 * 2026", CronRefusalCode.FIELD_COUNT, "has 7"),
        ("@reboot", CronRefusalCode.UNSUPPORTED, "@daily"),
        ("@every 5m", CronRefusalCode.UNSUPPORTED, "@daily"),
        ("@", CronRefusalCode.UNSUPPORTED, "@daily"),
        ("CRON_TZ=UTC 0 9 * * *", CronRefusalCode.UNSUPPORTED, "`timezone`"),
        ("R * * * *", CronRefusalCode.UNSUPPORTED, "random"),
        ("R(0-30) * * * *", CronRefusalCode.UNSUPPORTED, "random"),
        ("H/15 * * * *", CronRefusalCode.UNSUPPORTED, "hashed"),
        ("0 0 ? * MON", CronRefusalCode.UNSUPPORTED, "write `*`"),
        ("0 0 12 ? * 2#1", CronRefusalCode.UNSUPPORTED, "Quartz counts Sunday as 1"),
        ("0 0 15W * *", CronRefusalCode.UNSUPPORTED, "nearest weekday"),
        ("0 0 LW * *", CronRefusalCode.UNSUPPORTED, "nearest weekday"),
        ("0 0 L-3 * *", CronRefusalCode.UNSUPPORTED, "only alone"),
        ("0 0 1,L * *", CronRefusalCode.UNSUPPORTED, "only alone"),
        ("0 0 * * 5L", CronRefusalCode.UNSUPPORTED, "only alone"),
        ("0 0 * * L5", CronRefusalCode.UNSUPPORTED, "only alone"),
        ("0 0 * * 1#1,2#2", CronRefusalCode.UNSUPPORTED, "stands alone"),
        ("0 0 1#1 * *", CronRefusalCode.UNSUPPORTED, "stands alone"),
        ("0 0 L * MON", CronRefusalCode.AMBIGUOUS, "needs `*`"),
        ("0 0 13 * 5#2", CronRefusalCode.AMBIGUOUS, "needs `*`"),
        ("5-1 * * * *", CronRefusalCode.AMBIGUOUS, "write `5-59,0-1`"),
        ("0 22-2 * * *", CronRefusalCode.AMBIGUOUS, "write `22-23,0-2`"),
        ("0 0 * * FRI-SUN", CronRefusalCode.AMBIGUOUS, "write `fri-6,sun`"),
        ("0 0 1 NOV-FEB *", CronRefusalCode.AMBIGUOUS, "write `nov-12,1-feb`"),
        ("5-5 * * * *", CronRefusalCode.AMBIGUOUS, "write `5`"),
        ("5/15 * * * *", CronRefusalCode.AMBIGUOUS, "write `5-59/15`"),
        ("*,5 * * * *", CronRefusalCode.AMBIGUOUS, "write `*` alone"),
        ("5,*/20 * * * *", CronRefusalCode.AMBIGUOUS, "put `*/20` first"),
        ("*/90 * * * *", CronRefusalCode.OUT_OF_RANGE, "between 1 and 59"),
        ("0 0 * * */7", CronRefusalCode.OUT_OF_RANGE, "between 1 and 6"),
        ("0 22-2/2 * * *", CronRefusalCode.AMBIGUOUS, "write two ranges"),
        ("59/5 * * * *", CronRefusalCode.AMBIGUOUS, "write `59`"),
        ("*/0 * * * *", CronRefusalCode.OUT_OF_RANGE, "between 1 and 59"),
        ("10-20/30 * * * *", CronRefusalCode.OUT_OF_RANGE, "between 1 and 10"),
        ("60 * * * *", CronRefusalCode.OUT_OF_RANGE, "minute: `60` is not between 0 and 59"),
        ("0 24 * * *", CronRefusalCode.OUT_OF_RANGE, "hour"),
        ("0 0 0 * *", CronRefusalCode.OUT_OF_RANGE, "day of month"),
        ("0 0 1 13 *", CronRefusalCode.OUT_OF_RANGE, "month"),
        ("0 0 * * 8", CronRefusalCode.OUT_OF_RANGE, "day of week"),
        ("0 0 * * 5#6", CronRefusalCode.OUT_OF_RANGE, "#1 to #5"),
        ("60 0 0 * * *", CronRefusalCode.OUT_OF_RANGE, "second"),
        ("0 0 * * MONDAY", CronRefusalCode.SYNTAX, "MON"),
        ("0 0 * MON *", CronRefusalCode.SYNTAX, "JAN"),
        ("0 MON * * *", CronRefusalCode.SYNTAX, "numbers only"),
        ("1,,2 * * * *", CronRefusalCode.SYNTAX, "empty place"),
        ("-5 * * * *", CronRefusalCode.SYNTAX, "`-5`"),
        ("1.5 * * * *", CronRefusalCode.SYNTAX, "`1.5`"),
        ("1-5-9 * * * *", CronRefusalCode.SYNTAX, "`1-5-9`"),
        ("٣ * * * *", CronRefusalCode.SYNTAX, "cannot be read"),
        ("0 0 30 2 *", CronRefusalCode.NEVER_FIRES, "No date"),
        ("0 0 31 4,6,9,11 *", CronRefusalCode.NEVER_FIRES, "No date"),
    ],
)
def test_what_is_refused_is_refused_with_a_reason(text: object, code: CronRefusalCode, part_of_message: str) -> None:
    refused = refusal(text)

    assert refused.code is code
    assert part_of_message in refused.message


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        (" 0\t9  * * mon ", "0 9 * * 1"),
        ("00 09 * * 7", "0 9 * * SUN"),
        ("0 9 * * *", "0 0 9 * * *"),
        ("0 9 * * MON-5", "0 9 * * 1-5"),
        ("0 9 * JAN,Feb-mar *", "0 9 * 1-3 *"),
        ("*/20,5 * * * *", "0,5,20,40 * * * *"),
    ],
)
def test_spellings_of_one_rule_match_alike(text: str, same_as: str) -> None:
    assert matches(text, 50) == matches(same_as, 50)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("0 12 */2 * 1", datetime(2026, 1, 5, 12)),  # and: a Monday of odd date
        ("0 12 14 * 1", datetime(2026, 1, 5, 12)),  # or: any Monday, and the 14th
        ("0 0 29 2 *", datetime(2028, 2, 29)),
        ("0 0 31 4,5 *", datetime(2026, 5, 31)),
        ("0 0 30 2 SUN", datetime(2026, 2, 1)),  # or: the Sundays of February are left
        ("0 0 * 2 0#5", datetime(2032, 2, 29)),
        ("15 30 9 * * *", datetime(2026, 1, 1, 9, 30, 15)),
    ],
)
def test_days_combine_as_in_vixie_cron(text: str, first: datetime) -> None:
    assert CronExpression.parse(text).first_match(START) == first


def test_a_reading_that_matches_is_its_own_first_match() -> None:
    expression = CronExpression.parse("30 2 * * *")

    assert expression.first_match(datetime(2026, 1, 1, 2, 30)) == datetime(2026, 1, 1, 2, 30)
    assert expression.first_match(datetime(2026, 1, 1, 2, 30, 1)) == datetime(2026, 1, 2, 2, 30)


def matches(text: str, count: int, start: datetime = START) -> list[datetime]:
    """From the first at or after `start`."""
    expression, found = CronExpression.parse(text), list[datetime]()
    for _ in range(count):
        found.append(expression.first_match(start))
        start = found[-1].replace(microsecond=0) + RESOLUTION
    return found


RESOLUTION = datetime(2026, 1, 1, 0, 0, 1) - START


def field_texts(kind: FieldKind) -> st.SearchStrategy[str]:
    """Every form of a field, refused ones among them."""
    number = st.integers(kind.minimum, kind.maximum)
    value = st.one_of(number.map(str), st.sampled_from([*kind.names] or ["0"])).map(str)
    ordered = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, kind.maximum - kind.minimum).map(str)
    item = st.one_of(value, ordered, st.builds("{}/{}".format, ordered, step))
    items = st.lists(item, min_size=1, max_size=3).map(",".join)
    star = st.one_of(st.just("*"), st.builds("*/{}".format, step))
    extension = st.sampled_from(["L", "5#2", "SUN#5", "7#1"])
    return st.one_of(star, items, st.builds("*/{},{}".format, step, items), extension)


expressions = st.one_of(
    st.tuples(*map(field_texts, FIELD_KINDS)).map(" ".join),
    st.tuples(*map(field_texts, FIELD_KINDS[1:])).map(" ".join),
)


@settings(deadline=None)
@given(text=expressions, start=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)))
def test_what_is_accepted_means_the_same_to_cronsim(text: str, start: datetime) -> None:
    start = start.replace(microsecond=0)
    try:
        CronExpression.parse(text)
    except CronRefused:
        assume(False)

    try:
        simulated = CronSim(text, start - RESOLUTION)
    except CronSimError as error:
        pytest.fail(f"accepted, but refused by cronsim: {text}: {error}")

    assert matches(text, 5, start) == [next(simulated) for _ in range(5)]


@settings(deadline=None)
@given(st.sampled_from(FIELD_KINDS), st.data())
def test_what_a_refusal_says_to_write_is_accepted(kind: FieldKind, data: st.DataObject) -> None:
    values = st.sampled_from([*map(str, range(kind.minimum, kind.maximum + 1)), *kind.names])
    texts = st.builds("{}{}{}".format, values, st.sampled_from("-/"), values)
    try:
        kind.check(data.draw(texts))
        said = ""
    except CronRefused as refused:
        said = refused.message

    suggestion = re.search(r"write `(.+)`", said)
    assume(suggestion)
    assert suggestion is not None
    kind.check(suggestion[1])


@settings(deadline=None)
@given(
    st.one_of(
        st.none() | st.integers() | st.binary() | st.floats() | st.lists(st.text()),
        st.text(max_size=250),
        st.text("0123456789*/-,#LWRH?@ \tMONSUJA", max_size=40),
        st.lists(st.text("0123456789*/-,#lwrh?()", min_size=1, max_size=6), min_size=5, max_size=6).map(" ".join),
    )
)
def test_any_input_is_parsed_or_refused_and_never_crashes(anything: object) -> None:
    try:
        first = CronExpression.parse(anything).first_match(START)
    except CronRefused:
        return

    assert first >= START
