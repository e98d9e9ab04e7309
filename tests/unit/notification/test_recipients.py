"""Novu drops what is no subscriber id without a word: we say so before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.notification.recipients import not_taken

TAKEN = [
    *("ada", "subscriber-1", "org:42:user.7", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "A_b-c.d:e"),
    *("ada@example.org", "ada+news@example.org", "o'hara@xn--e1afmkfd.example", "jürgen@bücher.example"),
]
NOT_TAKEN = [
    *(
        "u 1",
        "u/1?x=2",
        "",
        " ",
        "ada ",
        "ada\n",
        "a\nb",
        "a|b",
        "ada@",
        "@example.org",
        "ada@example",
        "a@b@example.org",
    ),
    *("Ada <ada@example.org>", "ada@example.org?x=1", "müller", None, 5, ["ada"], {"subscriberId": "ada"}),
]


def test_what_novu_takes_is_taken() -> None:
    assert not_taken(TAKEN) == []


def test_what_it_drops_is_found_by_its_place() -> None:
    for recipient in NOT_TAKEN:
        assert not_taken(["ada", recipient, "bob"]) == [1], recipient


def test_the_first_twenty_are_named() -> None:
    assert not_taken(["u 1"] * 100) == list(range(20))


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_any_text_is_either(texts: list[str]) -> None:
    assert set(not_taken(texts)) <= set(range(len(texts)))
    assert all(" " not in text and "/" not in text for place, text in enumerate(texts) if place not in not_taken(texts))


def test_any_id_will_do_where_the_project_says_so_but_no_blank_one() -> None:
    assert not_taken(["auth0|123", "ada"]) == [0]
    assert not_taken(["auth0|123", "ada", "", "  ", "\t", None], any_id=True) == [2, 3, 4, 5]
