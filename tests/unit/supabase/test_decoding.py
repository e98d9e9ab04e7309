"""What the database may hold is read, or refused by the column's name; never does it raise anything else."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.models import Channel
from shared.supabase.decoding import Unreadable, read_count, read_instant, read_json, read_labels

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert read_json("payload", json.dumps(value, ensure_ascii=False)) == value


@given(st.text())
def test_whatever_the_text_nothing_else_is_raised(text: str) -> None:
    with suppress(Unreadable):
        read_json("payload", text)
    with suppress(Unreadable):
        read_instant(text, "scheduled_for")


@pytest.mark.parametrize(
    "text",
    [
        "1" * 5_000,
        f'{{"a": {"9" * 310}}}',
        f"[-{'9' * 310}.5]",
        "[" * 1_500 + "]" * 1_500,
        '{"a":' * 201 + "1" + "}" * 201,
        "NaN",
        "[Infinity]",
        '"\\ud800"',
        "",
        "{",
    ],
    ids=["integer", "beyond a double", "fraction", "lists", "objects", "nan", "infinity", "surrogate", "empty", "cut"],
)
def test_json_that_novu_could_not_read_either_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_json("payload", text)

    assert refused.value.column == "payload"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert "999" not in str(refused.value)


def test_long_numbers_within_a_double_and_long_digits_in_texts_are_read() -> None:
    value = {"number": 10**308, "text": "7" * 4_000, "fraction": 0.5}

    assert read_json("payload", json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    ["infinity", "-infinity", "20000-01-01T00:00:00+00:00", "294276-12-31T23:59:59.999999+00:00", "0044-03-15 BC", "x"],
)
def test_an_instant_that_python_does_not_know_is_refused_by_its_column(text: str) -> None:
    with pytest.raises(Unreadable, match=r"^deliver_before "):
        read_instant(text, "deliver_before")


@given(st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-11, minutes=-30)))))
def test_every_other_instant_is_read_to_the_microsecond(instant: datetime) -> None:
    assert read_instant(instant.isoformat()) == instant


@pytest.mark.parametrize("values", [[None], [["EMAIL"]], ["CARRIER_PIGEON"], "too many", [{}], 7])
def test_labels_that_are_none_of_ours_are_refused(values: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        read_labels("channels", values, Channel)

    assert refused.value.column == "channels"
    assert "PIGEON" not in str(refused.value)


def test_labels_of_ours_are_read_in_order() -> None:
    assert read_labels("channels", ["SMS", "EMAIL"], Channel) == (Channel.SMS, Channel.EMAIL)
    assert read_labels("channels", None, Channel) == read_labels("channels", [], Channel) == ()


def test_a_negative_count_is_refused() -> None:
    assert read_count("chunks_sent", 0) == 0
    with pytest.raises(Unreadable):
        read_count("chunks_sent", -1)
