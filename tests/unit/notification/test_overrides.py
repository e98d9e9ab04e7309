"""A text that becomes a line of a mail's head has one line."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.notification.overrides import broken_line

INJECTED = "Hello\r\nBcc: zanzibar@example.org"


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"email": {"subject": INJECTED}}, "overrides.email.subject"),
        ({"email": {"senderName": "a\nb"}}, "overrides.email.senderName"),
        ({"email": {"to": ["ada@example.org", "b\rc"]}}, "overrides.email.to"),
        ({"email": {"headers": {"X-Tag": INJECTED}}}, "overrides.email.headers.*"),
        ({"email": {"headers": {INJECTED: "tag"}}}, "overrides.email.headers.*"),
        ({"email": {"headers": [{"key": "X-Tag", "value": INJECTED}]}}, "overrides.email.headers.*"),
        ({"providers": {"sendgrid": {"Headers": {"a": "b\x00"}}}}, "overrides.providers.*.Headers.*"),
        (
            {"steps": {"zanzibar": {"providers": {"ses": {"REPLYTO": "a\x85b"}}}}},
            "overrides.steps.*.providers.*.REPLYTO",
        ),
        ({"sms": {"from": "a\u2028b"}}, "overrides.sms.from"),
    ],
)
def test_a_line_break_is_named_by_its_path_and_never_by_the_row_s_own_names(
    overrides: dict[str, Any], path: str
) -> None:
    assert broken_line(overrides) == path


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"email": {"text": "first\r\nsecond", "subject": "Grüße 🎉", "customData": {"note": "a\nb"}}},
        {"sms": {"content": "first\nsecond"}},
        {"email": {"headers": {"X-Tag": 7, "X-None": None}}},
        {"fcm": {"data": {"body": "a\nb"}}},
    ],
)
def test_texts_of_many_lines_stay_where_they_belong(overrides: dict[str, Any]) -> None:
    assert broken_line(overrides) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["email", "sms", "providers", "steps", "x"]), max_size=4), JSON)
def test_a_line_break_below_headers_is_found_however_deep(way: list[str], beside: Any) -> None:
    overrides: Any = {"headers": [{"beside": beside}, {"deeper": {"name": [INJECTED]}}]}
    for name in way:
        overrides = {name: overrides, "n": 1}

    assert broken_line(overrides) is not None
