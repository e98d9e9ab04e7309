import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.sms_segments import count_segments

PLAIN = st.text(alphabet="abcdefgh ÄÖÜäöüñà@£$¥èé0123456789", max_size=700)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 76 pairs of septets fill a segment to 152; the 77th does not fit the one left.
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("{}[]~|^\\", 1),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("a" * 69 + "ж", 1),
        ("a" * 70 + "ж", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        # 33 surrogate pairs fill a segment to 66; the 34th does not fit the one left.
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("`", 1),
        ("`" * 71, 2),
    ],
)
def test_segments_of(text: str, segments: int) -> None:
    assert count_segments(text) == segments


@given(PLAIN)
def test_plain_gsm_text_takes_160_or_153_to_a_segment(text: str) -> None:
    assert count_segments(text) == (1 if len(text) <= 160 else math.ceil(len(text) / 153))


@given(st.text(max_size=400))
def test_segments_hold_what_they_count(text: str) -> None:
    segments = count_segments(text)

    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert math.ceil(len(text) / 160) <= max(segments, 1)
    assert segments <= max(1, math.ceil(units / 66))


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_never_takes_fewer_segments(first: str, second: str) -> None:
    assert count_segments(first) <= count_segments(first + second)
