"""The `date` filter without a clock, a time zone or a locale of its own: the same on every machine."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from dateutil import parser  # type: ignore[import-untyped]

from worker.rendering.date_format import format_moment
from worker.rendering.template_errors import FilterRefused
from worker.rendering.value_text import liquid_text

_INPUT_CHARACTERS: Final = 64
_FORMAT_CHARACTERS: Final = 100
_SECONDS: Final = re.compile(r"\d{1,12}", re.ASCII)

# 2.1.2024 and 2-1-2024 put the day first, 1/2/2024 the month. Each order is tried alone: one that depended on the
# numbers would read 13.12. and 12.12. differently.
_NUMERIC: Final = re.compile(
    r"(?P<first>\d{1,2})(?P<separator>[./-])(?P<second>\d{1,2})(?P=separator)(?P<year>\d{4}|\d{1,2})(?P<rest>\D.*)?",
    re.ASCII | re.DOTALL,
)

_ZONES: Final = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
"""Hours that names in mail headers stand for (RFC 5322, section 4.3). Other names say nothing that is agreed upon."""

# Two days that share neither year, month, day nor weekday: what depends on the default was not in the text.
_DEFAULTS: Final = (datetime(2000, 1, 1), datetime(2001, 2, 3))


def format_date(moment: object, pattern: object = None) -> str:
    """`moment` by the strftime pattern: ISO 8601 or any full date in words, or seconds since 1970, in UTC.

    What names no full date comes back as it would without the filter, as in Liquid; nil is nothing. `now` and `today`
    are refused: a renderer that reads the clock would write a different message at each attempt; the payload can carry
    the time.
    """
    if moment in ("now", "today"):
        raise FilterRefused("date", "has no clock: the payload must carry the time")
    wanted = liquid_text(pattern)
    if len(wanted) > _FORMAT_CHARACTERS:
        raise FilterRefused("date", "takes a shorter format")
    parsed = _parse(moment) if wanted else None
    if parsed is None:
        return liquid_text(moment)
    return format_moment(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC), wanted)


def _parse(moment: object) -> datetime | None:
    if isinstance(moment, bool) or not isinstance(moment, int | float | str):
        return None
    text = str(moment).strip()
    try:
        if not isinstance(moment, str) or _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        return _parse_text(text) if len(text) <= _INPUT_CHARACTERS else None
    except (ValueError, OverflowError, OSError):
        return None


def _parse_text(text: str) -> datetime | None:
    if numeric := _NUMERIC.fullmatch(text):
        if len(numeric["year"]) < 4:
            return None
        days_first = numeric["separator"] != "/"
        day, month = numeric["first"], numeric["second"]
        if not days_first:
            day, month = month, day
        text = f"{numeric['year']}-{month:0>2}-{day:0>2}{numeric['rest'] or ''}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    first, second = (parser.parse(text, default=default, tzinfos=_zone) for default in _DEFAULTS)
    return first if first.date() == second.date() else None


def _zone(name: str | None, offset_seconds: int | None) -> timezone | None:
    """Left to itself, the parser would take a name that is one of the machine's own for the machine's zone."""
    if offset_seconds is None:
        return timezone(timedelta(hours=_ZONES[name])) if name in _ZONES else None
    return timezone(timedelta(seconds=offset_seconds))
