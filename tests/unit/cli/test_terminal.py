"""What commands print is text: a terminal obeys none of what rows, errors and logs hold."""

import json

import pytest

from cli.operator_store import EndedNotification, SettledDelivery
from cli.tail import _show_line
from cli.terminal import say, say_line
from tests.unit.health.builders import NOW

HOSTILE = "a\x1b]0;owned\x07b\x9b2Jc\rd\x7fe\u202ef\u2066g\u2028h\x00i\u200fj"


def is_harmless(text: str) -> bool:
    return text.isprintable() and text.isascii()


def test_sequences_and_marks_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"first\n\tsecond {HOSTILE}")
    say(HOSTILE, err=True)

    said = capsys.readouterr()
    first, second = said.out.splitlines()
    assert (first, second[:7]) == ("first", "\tsecond")
    assert is_harmless(second[1:])
    assert is_harmless(said.err.removesuffix("\n"))
    assert "\\u001b]0;owned\\u0007" in second


def test_what_people_write_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("Zoë, 東京, שלום, 👩‍🚀")

    assert capsys.readouterr().out == "Zoë, 東京, שלום, 👩‍🚀\n"


def test_an_object_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    say(json.dumps({"text": HOSTILE}, ensure_ascii=False))

    assert json.loads(capsys.readouterr().out) == {"text": HOSTILE}


def test_a_value_cannot_make_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    say_line("code\n2026-11-28  SENT  acme  7  -")

    assert capsys.readouterr().out == "code\\n2026-11-28  SENT  acme  7  -\n"


@pytest.mark.parametrize(
    "item",
    [
        EndedNotification(7, "acme", "FAILED", f"{HOSTILE}\nforged", 1, None, NOW),
        SettledDelivery(7, "acme", "partly", f"{HOSTILE}\nforged", NOW),
    ],
    ids=["ended", "settled"],
)
def test_a_row_that_is_followed_is_one_harmless_line(
    capsys: pytest.CaptureFixture[str], item: EndedNotification | SettledDelivery
) -> None:
    _show_line(item)

    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert is_harmless(said.removesuffix("\n"))
