"""Reads `Retry-After`, in both of its forms."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_PAUSE_SECONDS = 3600.0
"""A longer pause is shortened to this: a mistaken header must not put notifications off for days."""


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The pause that the answer asks for, 0 to 3,600 seconds; None if it asks for none, or unintelligibly.

    A date is counted from the answer's own `Date`, so that the two clocks need not agree.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_PAUSE_SECONDS)
    until = _http_date(value)
    if until is None:
        return None
    answered_at = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - answered_at).total_seconds(), 0.0), LONGEST_PAUSE_SECONDS)


def _http_date(value: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
