"""No two rows, and no two chunks of theirs, have the same transaction id; a row keeps the one it was sent under."""

from itertools import combinations
from urllib.parse import quote

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.notification.transaction_id import transaction_id, transaction_ids

Sent = tuple[str, int, int]

ENTERPRISE_IDS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
LIKE_OTHERS = st.lists(st.sampled_from(["a", "1", "2", "12", "", "-1", "x.1"]), min_size=1, max_size=4).map(".".join)
"""Enterprise ids that look like the ends of others' transaction ids."""

EVENTS = st.tuples(
    (ENTERPRISE_IDS | LIKE_OTHERS).filter(bool),
    st.integers(1, 2**63 - 1) | st.integers(1, 12),
    st.integers(0, 1000) | st.integers(0, 3),
)


@settings(deadline=None)
@given(EVENTS, EVENTS)
@example(("acme", 1, 2), ("acme.1", 2, 0))
@example(("7", 1, 2), ("7.1", 2, 0))
@example(("acme.1", 2, 3), ("acme.1.2", 3, 0))
def test_two_events_never_share_an_id(one: Sent, other: Sent) -> None:
    assume(one != other)

    assert transaction_id(*one) != transaction_id(*other)


def test_every_split_of_the_same_text_has_an_id_of_its_own() -> None:
    parts = ["a", "1", "2", "3", "4", "5"]
    events: list[Sent] = []
    for cut in range(1, len(parts)):
        enterprise_id = ".".join(parts[:cut])
        events.append((enterprise_id, int(parts[cut]), 0))
        if cut + 1 < len(parts):
            events.append((enterprise_id, int(parts[cut]), int(parts[cut + 1])))

    assert all(transaction_id(*one) != transaction_id(*other) for one, other in combinations(events, 2))


@settings(deadline=None)
@given(EVENTS)
def test_an_id_needs_no_quoting_in_a_path(event: Sent) -> None:
    assert quote(transaction_id(*event), safe="") == transaction_id(*event)


@settings(deadline=None)
@given(EVENTS, st.integers(1, 20))
def test_the_ids_of_a_row_are_those_its_chunks_were_sent_under(event: Sent, chunks: int) -> None:
    enterprise_id, notification_id, _ = event
    sent = [transaction_id(enterprise_id, notification_id, chunk) for chunk in range(chunks)]

    assert transaction_ids(enterprise_id, notification_id, sent[0], chunks) == sent
    assert transaction_ids(enterprise_id, notification_id, None, chunks) == sent


def test_a_row_that_an_earlier_release_sent_keeps_its_ids() -> None:
    assert transaction_ids("acme.1", 2, "xnovu.acme.1.2", 3) == [
        "xnovu.acme.1.2",
        "xnovu.acme.1.2.1",
        "xnovu.acme.1.2.2",
    ]


def test_a_row_that_another_system_sent_has_the_id_it_was_given() -> None:
    assert transaction_ids("acme", 2, "a-uuid", 3) == ["a-uuid"]


def test_a_row_without_recipients_has_an_id_all_the_same() -> None:
    assert transaction_ids("acme", 2, None, 0) == ["xnovu.acme.2"]
