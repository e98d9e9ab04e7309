"""What a project wrote of its subscribers: each value by itself; one that cannot be read is left out, and counted."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.supabase.recipients import read_recipients

TOKENS = {"providerId": "fcm", "channel": "PUSH", "deviceTokens": ["a"]}


def read(**row: Any) -> Any:
    found = read_recipients({"known": {"ada": json.dumps(row)}})
    return found.by_id["ada"], dict(found.unread)


def test_columns_become_novus_members_and_what_is_empty_is_left_out() -> None:
    recipient, unread = read(
        email="ada@example.org", phone="", first_name="Ada", last_name=None, locale="en_GB", data={"a": [1]}
    )

    assert recipient.members == {
        "email": "ada@example.org",
        "firstName": "Ada",
        "locale": "en_GB",
        "data": {"a": [1]},
    }
    assert unread == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("email", 5),
        ("email", "ada@example.org\r\nBcc: eve@example.org"),
        ("phone", ["+44"]),
        ("first_name", "x" * 513),
        ("data", "text"),
        ("data", [1]),
        ("credentials", {"providerId": "fcm"}),
        ("credentials", [{"providerId": "fcm"}]),
        ("credentials", [{"deviceTokens": ["a"]}]),
        ("credentials", [{**TOKENS, "webhookUrl": "https://example.org"}]),
        ("credentials", [{**TOKENS, "deviceTokens": "a"}]),
        ("credentials", [{**TOKENS, "deviceTokens": [""]}]),
        ("credentials", [{**TOKENS, "integrationIdentifier": 5}]),
        ("credentials", [TOKENS] * 21),
    ],
)
def test_a_value_that_cannot_be_read_costs_itself_only(column: str, value: Any) -> None:
    recipient, unread = read(**{"email": "ada@example.org", "last_name": "Lovelace", column: value})

    assert unread == {column: 1}
    assert recipient.members["lastName"] == "Lovelace"
    assert recipient.credentials == ()
    assert recipient.credentials_hash is None


def test_credentials_of_both_kinds_are_read() -> None:
    slack = {"providerId": "slack", "webhookUrl": "https://example.org/x", "integrationIdentifier": "slack-1"}

    recipient, _ = read(credentials=[TOKENS, slack], credentials_hash="h")

    assert [each.values for each in recipient.credentials] == [
        {"deviceTokens": ["a"]},
        {"webhookUrl": "https://example.org/x"},
    ]
    assert recipient.credentials[1].integration_identifier == "slack-1"
    assert recipient.credentials_hash == "h"


def test_a_row_too_large_or_unreadable_is_passed_over_and_counted() -> None:
    deep = '{"data": ' + "[" * 300 + "]" * 300 + "}"

    found = read_recipients({"known": {"ada": None, "bob": deep, "eve": "{}"}})

    assert set(found.by_id) == {"eve"}
    assert found.unread == {"*": 2}


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine's affair
@given(
    st.dictionaries(
        st.sampled_from(["email", "data", "credentials", "avatar"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ),
    )
)
def test_nothing_that_a_row_holds_raises(row: dict[str, Any]) -> None:
    read(**row)
