"""The `date` filter without a clock, a time zone or a locale of its own: the same on every machine."""

from datetime import UTC, datetime
from typing import Final

from dateutil import parser  # type: ignore[import-untyped]

from worker.rendering.template_errors import FilterRefused

_INPUT_CHARACTERS: Final = 64
_FORMAT_CHARACTERS: Final = 100

# Two days that share neither year, month, day nor weekday: what depends on the default was not in the text.
_DEFAULTS: Final = (datetime(2000, 1, 1), datetime(2001, 2, 3))


def format_date(moment: object, pattern: str) -> str:
    """`moment` by the strftime pattern: ISO 8601 or any full date in words, or seconds since 1970, in UTC.

    Text that names no full date comes back unchanged, as in Liquid. `now` and `today` are refused: a renderer that
    reads the clock would write a different message at each attempt; the payload can carry the time.
    """
    if moment in ("now", "today"):
        raise FilterRefused("date", "has no clock: the payload must carry the time")
    if len(str(pattern)) > _FORMAT_CHARACTERS:
        raise FilterRefused("date", "takes a shorter format")
    parsed = _parse(moment)
    if parsed is None:
        return str(moment)
    # The C library would take the seconds since 1970 (`%s`) from the machine's time zone.
    seconds = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    return parsed.strftime(str(pattern).replace("%s", str(seconds)))


def _parse(moment: object) -> datetime | None:
    if isinstance(moment, int | float) or (isinstance(moment, str) and moment.isdigit() and len(moment) <= 12):
        return datetime.fromtimestamp(float(moment), UTC)
    text = str(moment).strip()
    if len(text) > _INPUT_CHARACTERS:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        first, second = (parser.parse(text, default=default) for default in _DEFAULTS)
    except (ValueError, OverflowError):
        return None
    return first if first.date() == second.date() else None
