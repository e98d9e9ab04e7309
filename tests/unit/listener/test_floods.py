"""So many full batches of one enterprise at once; the table is read for more when half of them are done."""

from listener.floods import Floods, Whose
from shared.notification.priority import NORMAL

FLOOD = Whose(NORMAL, "flood")


def test_so_many_begin_and_the_next_waits() -> None:
    floods = Floods(lambda _: None, most=2)
    floods.began(FLOOD)
    assert floods.admits(FLOOD)

    floods.began(FLOOD)

    assert not floods.admits(FLOOD)


def test_other_enterprises_and_urgent_rows_have_room_of_their_own() -> None:
    floods = Floods(lambda _: None, most=1)
    floods.began(FLOOD)

    assert floods.admits(Whose(NORMAL, "another"))
    assert floods.admits(Whose(1, "flood"))


def test_who_was_held_up_is_read_again_once_when_half_of_it_is_done() -> None:
    room: list[str] = []
    floods = Floods(room.append, most=4)
    for _ in range(4):
        floods.began(FLOOD)
    assert not floods.admits(FLOOD)

    floods.ended(FLOOD)
    assert not room
    floods.ended(FLOOD)
    assert room == ["flood"]
    floods.ended(FLOOD)
    floods.ended(FLOOD)
    assert room == ["flood"]


def test_who_was_never_held_up_is_not_read_again() -> None:
    room: list[str] = []
    floods = Floods(room.append, most=1)
    floods.began(FLOOD)

    floods.ended(FLOOD)

    assert room == []


def test_who_follows_hears_of_each_that_ended() -> None:
    heard: list[bool] = []
    floods = Floods(lambda _: None, most=1)
    floods.follow(lambda: heard.append(floods.admits(FLOOD)))
    floods.began(FLOOD)

    floods.ended(FLOOD)

    assert heard == [True]
