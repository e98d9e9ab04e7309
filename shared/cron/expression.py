"""One cron expression: read strictly, then matched against wall-clock readings by croniter."""

import copy
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from croniter import CroniterBadDateError, croniter

from shared.cron.fields import FIELD_KINDS
from shared.cron.refusals import CronRefusalCode, CronRefused

LONGEST_TEXT: Final = 200
"""Characters."""

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SOME_READING: Final = datetime(2000, 1, 1)
_ONE_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class CronExpression:
    """When to fire, as readings of a wall clock; make one with `parse`.

    `is_interval_like`: the minute or the hour starts with `*`, so that the rule means "every so often" and not
    "at that time of day". The two differ when clocks change (docs/cron.md).
    """

    text: str
    is_interval_like: bool
    _matcher: "croniter[datetime]" = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: object) -> Self:
        """The expression in `text`; raises CronRefused, with a reason, for all but what every cron reads alike."""
        if not isinstance(text, str):
            raise CronRefused(CronRefusalCode.NOT_TEXT, "A cron expression is text, such as `0 9 * * MON`.")
        if len(text) > LONGEST_TEXT:
            raise CronRefused(CronRefusalCode.TOO_LONG, f"The expression is longer than {LONGEST_TEXT} characters.")
        fields = _split(text)
        kinds = FIELD_KINDS[-len(fields) :]
        for kind, field_text in zip(kinds, fields, strict=True):
            kind.check(field_text)
        minute, hour, day_of_month, _, day_of_week = fields[-5:]
        _check_days(day_of_month, day_of_week)
        return cls(text.strip(), minute.startswith("*") or hour.startswith("*"), _matcher(fields))

    def first_match(self, wall: datetime) -> datetime:
        """The first reading at or after `wall` that matches; both are naive and in whole seconds."""
        matcher = copy.copy(self._matcher)  # it keeps its place; a copy shares only what it does not change
        return matcher.get_next(start_time=wall - _ONE_SECOND)


def _split(text: str) -> list[str]:
    """The 5 or 6 fields, in lower case."""
    lowered = text.lower().strip()
    if lowered.startswith("@"):
        if lowered not in _ALIASES:
            known = ", ".join(_ALIASES)
            raise CronRefused(CronRefusalCode.UNSUPPORTED, f"`{text.strip()}` is not one of {known}.")
        lowered = _ALIASES[lowered]
    if lowered.startswith(("tz=", "cron_tz=")):
        raise CronRefused(CronRefusalCode.UNSUPPORTED, "The time zone stands beside the expression, as `timezone`.")
    fields = re.findall(r"[^ \t]+", lowered)
    if len(fields) not in (5, 6):
        raise CronRefused(
            CronRefusalCode.FIELD_COUNT,
            f"An expression has 5 fields, or 6 with the seconds first; this one has {len(fields)}.",
        )
    return fields


def _check_days(day_of_month: str, day_of_week: str) -> None:
    """`L` and `5#2` are extensions: no two crons agree on what they mean beside another restriction."""
    if day_of_month == "l" and day_of_week != "*":
        raise CronRefused(CronRefusalCode.AMBIGUOUS, "Day of month `L` needs `*` as the day of week.")
    if "#" in day_of_week and day_of_month != "*":
        raise CronRefused(CronRefusalCode.AMBIGUOUS, f"Day of week `{day_of_week}` needs `*` as the day of month.")


def _matcher(fields: list[str]) -> "croniter[datetime]":
    matcher = croniter(
        " ".join(fields),
        _SOME_READING,
        ret_type=datetime,
        second_at_beginning=True,
        implement_cron_bug=True,  # a day field that starts with `*` narrows the other, as Vixie's and Debian's cron do
    )
    try:
        matcher.get_next()
    except CroniterBadDateError:
        raise CronRefused(CronRefusalCode.NEVER_FIRES, "No date in any year matches this expression.") from None
    return matcher
