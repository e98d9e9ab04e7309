"""Of a foreign exception the type and the place are told, however it is wrapped."""

import errno

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from shared.exception_text import chain, describe, full_text, place
from shared.ports import StoreUnavailable

PERSON = "zanzibar@example.org"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError(PERSON), "ValueError"),
        (httpx.ReadTimeout(PERSON), "ReadTimeout"),
        (OSError(errno.ENOSPC, PERSON), "OSError (ENOSPC)"),
        (OSError(PERSON), "OSError"),
        (StoreUnavailable("claim: HTTP 503"), "StoreUnavailable: claim: HTTP 503"),
        (StoreUnavailable(""), "StoreUnavailable"),
        (ApplicationError("Novu: HTTP 503", type="NovuFault"), "ApplicationError: NovuFault: Novu: HTTP 503"),
        (
            ExceptionGroup(PERSON, [KeyError(PERSON), ExceptionGroup(PERSON, [StoreUnavailable("away")])]),
            "ExceptionGroup (KeyError, ExceptionGroup (StoreUnavailable: away))",
        ),
    ],
)
def test_ours_keep_their_text_and_foreign_ones_keep_their_type(error: BaseException, told: str) -> None:
    assert describe(error) == told


def test_a_class_of_ours_that_wears_a_foreign_name_is_not_believed() -> None:
    imposter = type("StoreUnavailable", (Exception,), {"__module__": "sharedness"})

    assert describe(imposter(PERSON)) == "StoreUnavailable"


def fail() -> None:
    try:
        raise KeyError(PERSON)
    except KeyError as error:
        error.add_note(PERSON)
        try:
            raise ValueError(PERSON) from error
        except ValueError:
            raise StoreUnavailable("away")  # noqa: B904 - its context is the point


def fail_discreetly() -> None:
    try:
        raise KeyError(PERSON)
    except KeyError:
        raise StoreUnavailable("away") from None


def test_a_traceback_names_every_exception_of_the_chain_and_where_each_was_raised() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        fail()

    text = full_text(caught.value)

    assert PERSON not in text
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == [
        "Traceback (most recent call last):",
        "KeyError",
        "The above exception was the direct cause of the following exception:",
        "Traceback (most recent call last):",
        "ValueError",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        "StoreUnavailable: away",
    ]
    assert text.count("in fail") == 3


def test_what_was_dropped_at_the_boundary_stays_dropped() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        fail_discreetly()

    assert full_text(caught.value).count("Traceback") == 1
    assert list(chain(caught.value)) == [caught.value]


def test_a_place_is_the_last_frame_s_name_file_and_line() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        fail()

    assert place(caught.value.__traceback__).startswith(" in fail (test_exception_text.py:")
    assert place(None) == ""


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(PERSON), KeyError(PERSON)
    first.__cause__, second.__cause__ = second, first

    assert full_text(first).splitlines()[0] == "KeyError"


def wrapped(inner: st.SearchStrategy[BaseException]) -> st.SearchStrategy[BaseException]:
    def caused(pair: tuple[BaseException, BaseException, bool]) -> BaseException:
        outer, cause, as_context = pair
        if as_context:
            outer.__context__ = cause
        else:
            outer.__cause__ = cause
        return outer

    groups = st.lists(inner, min_size=1, max_size=3).map(lambda members: BaseExceptionGroup(PERSON, members))
    return groups | st.tuples(leaves(), inner, st.booleans()).map(caused)


def leaves() -> st.SearchStrategy[BaseException]:
    foreign = st.sampled_from([ValueError, KeyError, OSError, RuntimeError, httpx.ConnectError, AssertionError])
    return foreign.map(lambda kind: kind(PERSON)) | st.builds(StoreUnavailable, st.just("away"))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(leaves(), wrapped, max_leaves=6))
def test_nothing_that_a_foreign_exception_says_gets_through_any_wrapping(error: BaseException) -> None:
    assert "zanzibar" not in full_text(error)
    assert "zanzibar" not in describe(error)
