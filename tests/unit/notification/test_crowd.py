"""A crowd is its ids, in their order, however they are held."""

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notification.crowd import MANY, PAGE, Crowd, chunks, held

IDS = st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5), max_size=3 * PAGE)


@given(ids=IDS)
def test_it_reads_as_what_it_was_made_of(ids: list[str]) -> None:
    crowd = Crowd(ids)

    assert list(crowd) == ids
    assert len(crowd) == len(ids)
    assert [crowd[place] for place in range(len(ids))] == ids
    assert crowd[1:-1] == tuple(ids[1:-1])
    assert [each for page in crowd.pages() for each in page] == ids
    assert {len(page) for page in crowd.pages()} <= {PAGE, len(ids) % PAGE}


def test_a_place_beyond_its_end_is_none_of_its() -> None:
    with pytest.raises(IndexError):
        Crowd(["ada"])[1]


@pytest.mark.parametrize("count", [1, 99, 100, 101, MANY - 1, MANY, MANY + 1])
@pytest.mark.parametrize("repeated", [False, True])
def test_chunks_are_the_same_however_the_ids_are_held(count: int, repeated: bool) -> None:
    ids = [f"subscriber-{number}" for number in range(count)]
    written = [*ids, *ids[:7]] if repeated else ids
    expected = [tuple(ids[start : start + PAGE]) for start in range(0, count, PAGE)]

    assert [tuple(chunk) for chunk in chunks(tuple(written))] == expected
    assert [tuple(chunk) for chunk in chunks(held(written))] == expected


def test_what_is_no_text_is_held_as_it_is() -> None:
    odd = ["ada", None, *("eve" for _ in range(MANY))]

    assert held(odd) == tuple(odd)  # type: ignore[arg-type]


def test_a_hundred_thousand_and_all_their_chunks_take_less_than_five_megabytes() -> None:
    """Uuids; as a tuple of texts they are ten."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        crowd = held([f"{number:08x}-0000-4000-8000-000000000000" for number in range(100_000)])
        of_chunks = list(chunks(crowd))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert len(of_chunks) == 1000
    assert taken < 5_000_000
    assert sys.getsizeof("x" * 36) * 100_000 > 8_000_000
