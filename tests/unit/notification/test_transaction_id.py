"""No two rows, chunks or tries have the same transaction id, and each says whose it is."""

from urllib.parse import quote

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.notification.transaction_id import (
    ParsedTransactionId,
    parse_transaction_id,
    transaction_base,
    transaction_id,
    transaction_ids,
)

Call = tuple[str, int, int]

KEYS = st.text("0123456789abcdef", min_size=32, max_size=32) | st.sampled_from(["1" * 32, "10" * 16, "0" * 32])
CALLS = st.tuples(KEYS, st.integers(0, 1000) | st.integers(0, 3), st.integers(0, 100) | st.integers(0, 2))
"""A row's key, a chunk of its recipients, a try."""


def id_of(call: Call) -> str:
    key, chunk, second_try = call
    return transaction_id(transaction_base(key), chunk, second_try)


@settings(deadline=None)
@given(CALLS, CALLS)
def test_two_calls_never_share_an_id(one: Call, other: Call) -> None:
    assume(one != other)

    assert id_of(one) != id_of(other)


@settings(deadline=None)
@given(CALLS)
def test_an_id_says_whose_it_is_and_needs_no_quoting_in_a_path(call: Call) -> None:
    assert parse_transaction_id(id_of(call)) == ParsedTransactionId(*call)
    assert quote(id_of(call), safe="") == id_of(call)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"xnovu(\.[0-9a-f]{0,33}){1,5}", fullmatch=True))
def test_what_says_whose_it_is_is_spelt_in_one_way_only(text: str) -> None:
    parsed = parse_transaction_id(text)

    if parsed is not None:
        assert id_of((parsed.delivery_key, parsed.chunk, parsed.second_try)) == text


def test_ids_from_before_there_were_keys_are_nobody_s_key() -> None:
    assert [parse_transaction_id(text) for text in ("xnovu.acme.7", "xnovu.acme.7.1", "a-uuid", "")] == [None] * 4


@settings(deadline=None)
@given(KEYS, st.integers(1, 20))
def test_the_ids_of_a_row_are_those_its_chunks_were_sent_under(key: str, chunks: int) -> None:
    assert transaction_ids(transaction_base(key), chunks) == [id_of((key, chunk, 0)) for chunk in range(chunks)]


def test_a_row_that_an_earlier_release_sent_keeps_its_ids() -> None:
    assert transaction_ids("xnovu.acme.1.2", 3) == ["xnovu.acme.1.2", "xnovu.acme.1.2.1", "xnovu.acme.1.2.2"]


def test_a_row_that_another_system_sent_has_the_id_it_was_given() -> None:
    assert transaction_ids("a-uuid", 3) == ["a-uuid"]


def test_a_row_without_recipients_has_an_id_all_the_same() -> None:
    assert transaction_ids("xnovu.k", 0) == ["xnovu.k"]
